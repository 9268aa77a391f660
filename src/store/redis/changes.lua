-- Returns the changes after a version: the log's entries and the current values, read atomically.
--
-- KEYS[1]  {posthaste}:meta
-- ARGV[1]  the version
-- ARGV[2]  the maximum number of entries
-- ARGV[3]  the maximum number of bytes of values
-- Returns  format, epoch, version, the token of the requested version's entry, then the entries:
--          each has its entry id, kind, account, record id, token and value. The value is false if
--          the record does not exist, and 0 if a later entry of this response has the value.
local base = string.sub(KEYS[1], 1, -5)
local log, after = base .. 'log', ARGV[1]
local LISTS = {template = 'templates:', trigger = 'triggers:', key = 'keys'}

local function fields(entry)
  local named = {}
  for at = 1, #entry[2], 2 do named[entry[2][at]] = entry[2][at + 1] end
  return named
end

local meta = redis.call('HMGET', KEYS[1], 'format', 'epoch', 'version')
local own = redis.call('XRANGE', log, after .. '-0', after .. '-0')[1]
local result = {meta[1], meta[2], meta[3], own and fields(own).token or false, {}}

local entries = redis.call('XRANGE', log, '(' .. after .. '-0', '+', 'COUNT', ARGV[2])
local last = {}
for at, entry in ipairs(entries) do
  local named = fields(entry)
  entries[at] = {entry[1], named.kind or '', named.account or '', named.id or '', named.token or '', 0}
  last[named.kind and (named.kind .. ' ' .. entries[at][3] .. ' ' .. entries[at][4]) or ''] = at
end
local bytes = 0
for at, entry in ipairs(entries) do
  local kind, account, id = entry[2], entry[3], entry[4]
  if LISTS[kind] and last[kind .. ' ' .. account .. ' ' .. id] == at then
    local value = redis.pcall('HGET', base .. LISTS[kind] .. account, id)
    if type(value) == 'table' then
      -- A key of another type is one record that can't be read. With any other error nothing is known of it.
      if not string.find(value.err, 'WRONGTYPE', 1, true) then return value end
      value = ''
    end
    entry[6] = value
    bytes = bytes + #(value or '')
  end
  table.insert(result[5], entry)
  if bytes >= tonumber(ARGV[3]) then break end
end
return result
