-- Changes the store in Redis. Every change goes through this script: it checks a write, applies it and
-- adds it to the log, atomically. docs/redis.md documents how to call it.
--
-- KEYS[1]  {posthaste}:meta. All other keys are derived from it and share its hash tag, hence its slot.
-- ARGV[1]  put | delete | open (returns the state of the store, and creates a store if there is none; the
--          three numbers after it set the quotas of each account: triggers, templates, bytes of both)
-- ARGV[2]  template | trigger | key
-- ARGV[3]  the account; empty for a key
-- ARGV[4]  the id
-- ARGV[5]  put: the record as a JSON object; delete: empty
-- ARGV[6]  the precondition: any (default) | exists | absent | is REVISION REVISION ...
-- ARGV[7]  a unique token, by which the writer recognizes its own change; generated if it is missing
local FORMAT, LOG_ENTRIES = '1', 100000
local meta = KEYS[1]
local base = string.sub(meta, 1, -5)
local log, accounts = base .. 'log', base .. 'accounts'
local operation, kind, account, id, json = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local condition, token = ARGV[6] or 'any', ARGV[7] or ''
if condition == '' then condition = 'any' end

local function now()
  local time = redis.call('TIME')
  return time[1] .. '.' .. time[2]
end

local found = redis.call('HMGET', meta, 'format', 'version', 'epoch')
local format, version, epoch = found[1], found[2] or '0', found[3]
if format and format ~= FORMAT then return {'other_format', format} end

-- Starts a new history. A log that is there without a store belongs to another store, so it is deleted.
local function begin()
  epoch, version = now(), '0'
  redis.call('DEL', log)
  redis.call('HSET', meta, 'format', FORMAT, 'epoch', epoch, 'version', version)
end

if operation == 'open' then
  if not (format and epoch) then begin() end
  -- The quotas of each account, from a node's settings. If Redis refuses writes now, the old quotas stay.
  local known = redis.call('HMGET', meta, 'triggers_max', 'templates_max', 'bytes_max')
  if ARGV[4] and not (known[1] == ARGV[2] and known[2] == ARGV[3] and known[3] == ARGV[4]) then
    redis.pcall('HSET', meta, 'triggers_max', ARGV[2], 'templates_max', ARGV[3], 'bytes_max', ARGV[4])
  end
  return {'open', FORMAT, epoch, version}
end

local function is_name(text)
  return text and #text <= 128 and string.find(text, '^[%w%-_%.~:@]+$') ~= nil
end

local LISTS = {template = base .. 'templates', trigger = base .. 'triggers', key = base .. 'keys'}
if operation ~= 'put' and operation ~= 'delete' then return {'invalid', 'the first argument must be put or delete'} end
if not LISTS[kind] then return {'invalid', 'the second argument must be template, trigger or key'} end
if kind == 'key' and account ~= '' then return {'invalid', 'a key has no account: the third argument must be empty'} end
if kind ~= 'key' and not is_name(account) then return {'invalid', 'the third argument is not a valid account name'} end
if not is_name(id) then return {'invalid', 'the fourth argument is not a valid id'} end
-- Clients resolve these as path segments. A record that has such a name can still be deleted.
local function is_step(text) return text == '.' or text == '..' end
if operation == 'put' and is_step(account) then return {'invalid', 'the third argument is not a valid account name'} end
if operation == 'put' and is_step(id) then return {'invalid', 'the fourth argument is not a valid id'} end

local function records_of(this)
  return this == 'key' and LISTS.key or (LISTS[this] .. ':' .. account)
end
local records = records_of(kind)
local ids = base .. 'ids:' .. string.sub(records, #base + 1)
local uses = base .. 'uses:' .. account

-- A key of another type, which another program put there, is an error here, before anything is changed.
redis.call('HLEN', records)
redis.call('ZRANGEBYLEX', ids, '-', '+', 'LIMIT', 0, 1)
if kind ~= 'key' then
  redis.call('HLEN', records_of('template'))
  redis.call('HLEN', records_of('trigger'))
  redis.call('ZRANGEBYLEX', accounts, '-', '+', 'LIMIT', 0, 1)
  redis.call('ZRANGEBYLEX', uses, '-', '+', 'LIMIT', 0, 1)
end

-- The template that a trigger names, from its JSON or from its stored value; nil if there is none.
local function template_of(text)
  local read, document = pcall(cjson.decode, text)
  if read and type(document) == 'table' and type(document.template) == 'string' then return document.template end
end
local function kept_template(value)
  return value and template_of(string.gsub(value, '^%d+ ', '', 1))
end

local document_template
if operation == 'put' then
  local read, document = pcall(cjson.decode, json or '')
  if not read or type(document) ~= 'table' or document.id ~= id then
    return {'invalid', 'the fifth argument must be a JSON object whose id is the fourth argument'}
  end
  if kind == 'trigger' then
    document_template = template_of(json)
    if not is_name(document_template) then return {'invalid', 'a trigger must name its template'} end
  end
end

local value = redis.call('HGET', records, id)
local revision = value and (string.match(value, '^(%d+) ') or '0')
local holds
if condition == 'any' then
  holds = true
elseif condition == 'exists' then
  holds = value
elseif condition == 'absent' then
  holds = not value
elseif string.sub(condition, 1, 2) == 'is' then
  for wanted in string.gmatch(condition, '%d+') do holds = holds or wanted == revision end
else
  return {'invalid', 'the sixth argument must be any, exists, absent, or is with revisions'}
end
if not holds then return {'precondition_failed', revision} end
if operation == 'delete' and not value then return {'not_found'} end

if document_template and redis.call('HEXISTS', records_of('template'), document_template) == 0 then
  return {'template_missing', document_template}
end

-- Up to five triggers that name the template. Removes index entries that are stale because a trigger was
-- changed without this script.
local function users()
  local from, to = '[' .. id .. ' ', '(' .. id .. '!'
  local response, stray
  repeat
    response, stray = {'template_in_use'}, false
    local members = redis.call('ZRANGEBYLEX', uses, from, to, 'LIMIT', 0, 100)
    for _, member in ipairs(members) do
      local trigger = string.sub(member, #id + 2)
      if kept_template(redis.call('HGET', records_of('trigger'), trigger)) == id then
        table.insert(response, trigger)
        if #response > 5 then return response end
      else
        redis.call('ZREM', uses, member)
        stray = true
      end
    end
  until not stray
  return #response > 1 and response or nil
end
if operation == 'delete' and kind == 'template' then
  local response = users()
  if response then return response end
end

-- The number of bytes that the account stores. EARLIER(record): it was not kept, so it is computed once.
local sizes = base .. 'bytes'
local function kept_bytes()
  local kept = redis.call('HGET', sizes, account)
  if kept then return tonumber(kept) end
  kept = 0
  for _, list in ipairs({records_of('template'), records_of('trigger')}) do
    for _, own in ipairs(redis.call('HKEYS', list)) do kept = kept + redis.call('HSTRLEN', list, own) end
  end
  return kept
end
local kept, growth
if kind ~= 'key' then
  kept = kept_bytes()
  local revision_bytes = 1 + #string.format('%.0f', tonumber(version) + 1)
  growth = (operation == 'put' and #json + revision_bytes or 0) - (value and #value or 0)
  local most = redis.call('HMGET', meta, kind .. 's_max', 'bytes_max')
  if operation == 'put' and not value and most[1] and redis.call('HLEN', records) >= tonumber(most[1]) then
    return {'over_quota', kind .. 's', most[1]}
  end
  if growth > 0 and most[2] and kept + growth > tonumber(most[2]) then return {'over_quota', 'bytes', most[2]} end
end

-- All checks have passed. Only Redis itself can refuse the write now, at the first of these calls.
if not (format and epoch) then begin() end
if token == '' then token = now() end
local function announce()
  local next_id = string.format('%.0f', tonumber(version) + 1)
  return redis.pcall('XADD', log, 'MAXLEN', '~', LOG_ENTRIES, next_id .. '-0',
    'kind', kind, 'account', account, 'id', id, 'token', token)
end
local announced = announce()
if type(announced) == 'table' and announced.err then
  if not string.find(announced.err, 'equal or smaller', 1, true) then return announced end
  -- The log has a higher version than the store, so it is from another history. Start a new one.
  local kept = version
  begin()
  version = kept
  announced = announce()
  if type(announced) == 'table' and announced.err then return announced end
end
version = string.sub(announced, 1, -3)
redis.call('HSET', meta, 'version', version)

local function count(by)
  redis.call('HINCRBY', meta, kind .. 's', by)
end
local old_template = kind == 'trigger' and kept_template(value)
if old_template and old_template ~= document_template then redis.call('ZREM', uses, old_template .. ' ' .. id) end
if operation == 'put' then
  redis.call('HSET', records, id, version .. ' ' .. json)
  redis.call('ZADD', ids, 0, id)
  if document_template then redis.call('ZADD', uses, 0, document_template .. ' ' .. id) end
  if kind ~= 'key' then
    redis.call('ZADD', accounts, 0, account)
    redis.call('HSET', sizes, account, kept + growth)
  end
  if not value then count(1) end
else
  redis.call('HDEL', records, id)
  redis.call('ZREM', ids, id)
  count(-1)
  if kind ~= 'key' and redis.call('EXISTS', records_of('template'), records_of('trigger')) == 0 then
    redis.call('ZREM', accounts, account)
    redis.call('HDEL', sizes, account)
  elseif kind ~= 'key' then
    redis.call('HSET', sizes, account, kept + growth)
  end
end
return {'written', version, operation == 'delete' and 'deleted' or value and 'replaced' or 'created'}
