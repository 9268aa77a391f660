-- Returns a page of records of one kind, ordered by account and id.
--
-- KEYS[1]  {posthaste}:meta
-- ARGV[1]  template | trigger | key
-- ARGV[2]  the account in which the page begins
-- ARGV[3]  the id after which the page begins
-- ARGV[4]  the maximum number of records
-- ARGV[5]  the maximum number of bytes of values
-- ARGV[6]  all (continue with later accounts) | one
-- ARGV[7]  only triggers that use this template; all records if it is empty. An entry that is stale because another
--          program changed its trigger has a value that names another template, or none.
-- Returns  the records (account, id, value), then the account and the id after which the next page
--          begins, or false on the last page
local base = string.sub(KEYS[1], 1, -5)
local kind, account, after = ARGV[1], ARGV[2], ARGV[3]
local most, bytes_max, all = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == 'all'
local template = ARGV[7] or ''
local LISTS = {template = 'templates:', trigger = 'triggers:', key = 'keys'}

local rows, bytes, refused = {}, 0, nil
local function is_wrong_type(response) return string.find(response.err, 'WRONGTYPE', 1, true) ~= nil end
local function is_full() return #rows >= most or bytes >= bytes_max end

-- The ids of an account's records after one, in order.
local function ids_of(this, list, from, count)
  if template == '' then
    local begin = from == '' and '-' or ('(' .. from)
    return redis.pcall('ZRANGEBYLEX', base .. 'ids:' .. list, begin, '+', 'LIMIT', 0, count)
  end
  local begin, past = template .. ' ' .. from, '(' .. template .. '!'
  begin = (from == '' and '[' or '(') .. begin
  local members = redis.pcall('ZRANGEBYLEX', base .. 'uses:' .. this, begin, past, 'LIMIT', 0, count)
  for at, member in ipairs(members) do members[at] = string.sub(member, #template + 2) end
  return members
end

-- Adds records of one account while there is room. Returns the last id that was added if some did not fit.
local function take(this, from)
  local list = LISTS[kind] .. (kind == 'key' and '' or this)
  local count = most - #rows + 1
  local ids = ids_of(this, list, from, count)
  if ids.err then
    -- A key of another type, which another program put there: a list of it fails. Where all is read, it counts as one
    -- record that can't be read. With any other error, such as that of a slot that moves, nothing is known of the records.
    if all and is_wrong_type(ids) then table.insert(rows, {this, '', ''}) else refused = ids end
    return
  end
  for at, id in ipairs(ids) do
    if is_full() then return ids[at - 1] or from end
    local value = redis.pcall('HGET', base .. list, id)
    if type(value) == 'table' then
      if not is_wrong_type(value) then
        refused = value
        return
      end
      value = ''
    end
    if value then
      table.insert(rows, {this, id, value})
      bytes = bytes + #value
    end
  end
  -- Some had no value, so the page is not full, and there may be more.
  if #ids == count then return ids[count] end
end

if kind == 'key' or not all then
  local stopped = take(account, after)
  if refused then return refused end
  return {rows, stopped and account, stopped}
end
-- Limits the work of one call: accounts without a record of this kind also take time.
local ACCOUNTS_MAX = 1000
local accounts = redis.call('ZRANGEBYLEX', base .. 'accounts', account == '' and '-' or ('[' .. account), '+', 'LIMIT', 0, ACCOUNTS_MAX)
for _, this in ipairs(accounts) do
  local stopped = take(this, this == account and after or '')
  if refused then return refused end
  if stopped then return {rows, this, stopped} end
end
-- DEL (127) sorts after every id, so the next page begins with the account that follows.
if #accounts == ACCOUNTS_MAX then return {rows, accounts[#accounts], '\127'} end
return {rows, false, false}
