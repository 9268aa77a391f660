-- Some records of one kind, in the order of accounts and ids.
--
-- KEYS[1]  {posthaste}:meta
-- ARGV     template | trigger | key; the account to go on in; the id after which to go on; the most
--          records; the most bytes of values; 'all' where later accounts follow, else 'one'
-- Answers  the records (account, id, value), then the account and id after which the next page
--          begins, or nothing where there is no more.
local base = string.sub(KEYS[1], 1, -5)
local kind, account, after = ARGV[1], ARGV[2], ARGV[3]
local most, bytes_max, all = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == 'all'
local LISTS = {template = 'templates:', trigger = 'triggers:', key = 'keys'}

local rows, bytes = {}, 0
local function is_full() return #rows >= most or bytes >= bytes_max end

-- Takes what fits of an account; says after which id it had to stop, if it had to.
local function take(this, from)
  local list = LISTS[kind] .. (kind == 'key' and '' or this)
  local begin = from == '' and '-' or ('(' .. from)
  local ids = redis.pcall('ZRANGEBYLEX', base .. 'ids:' .. list, begin, '+', 'LIMIT', 0, most - #rows + 1)
  if ids.err then return end
  for at, id in ipairs(ids) do
    if is_full() then return ids[at - 1] or from end
    local value = redis.pcall('HGET', base .. list, id)
    if type(value) == 'table' then value = '' end
    if value then
      table.insert(rows, {this, id, value})
      bytes = bytes + #value
    end
  end
end

if kind == 'key' or not all then
  local stopped = take(account, after)
  return {rows, stopped and account, stopped}
end
-- Accounts without a record of the kind cost time too.
local ACCOUNTS_MAX = 1000
local accounts = redis.call('ZRANGEBYLEX', base .. 'accounts', account == '' and '-' or ('[' .. account), '+', 'LIMIT', 0, ACCOUNTS_MAX)
for _, this in ipairs(accounts) do
  local stopped = take(this, this == account and after or '')
  if stopped then return {rows, this, stopped} end
end
-- DEL is behind every name: the next page goes on in the account that follows.
if #accounts == ACCOUNTS_MAX then return {rows, accounts[#accounts], '\127'} end
return {rows, false, false}
