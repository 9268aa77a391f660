-- What changed after a version: the entries of the log, and the values as they are now, of one instant.
--
-- KEYS[1]  {posthaste}:meta
-- ARGV     the version; the most entries; the most bytes of values
-- Answers  format, epoch, version, token of the entry of the version asked for, then the entries:
--          each is id, kind, account, id, token, and the value: nothing where there is none (any
--          more), 0 where a later entry of these has it.
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
local answer = {meta[1], meta[2], meta[3], own and fields(own).token or false, {}}

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
    if type(value) == 'table' then value = '' end
    entry[6] = value
    bytes = bytes + #(value or '')
  end
  table.insert(answer[5], entry)
  if bytes >= tonumber(ARGV[3]) then break end
end
return answer
