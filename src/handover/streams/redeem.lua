-- Redeems claims of entries, after the lines of keys.lua. ARGV: the consumer group; the requester's own key; the number of
-- the request; how many entries of the first stream, and of the bulk stream; their ids; then for each account, in the
-- order of the ids, its stream (1 or 2), its name or an empty word, and the number of its entries.
-- Returns how many were won if all were, else for each 1 or 0. One step, so that no acknowledged entry stays in its stream.
--
-- If all entries of a stream are pending, all are won. If only some are, Redis does not say which; then those are won that
-- are still in the stream, since a won entry is removed from it here. Either way a won entry is neither pending nor in its
-- stream afterwards, so it is won once. If Redis refuses a part of that, it is an error, and nothing is won.
--
-- The last response is kept for a minute, so that a request whose response was lost can be repeated. A full Redis does not
-- keep it, and still responds. If it can't lower an account's number of entries, it deletes the number: they count no more.
local stored = redis.call('GET', ARGV[2])
if stored and string.sub(stored, 1, #ARGV[3] + 1) == ARGV[3] .. ' ' then
  return cjson.decode(string.sub(stored, #ARGV[3] + 2))
end
local all, lost, each, first = ARGV[4] + ARGV[5], 0, {}, 6
for own, stream in ipairs(streams) do
  local last = first - 1 + ARGV[3 + own]
  if last >= first then
    local pending, refused = redis.pcall('XACK', stream, ARGV[1], unpack(ARGV, first, last)), nil
    if pending == last + 1 - first then
      local deleted = redis.pcall('XDEL', stream, unpack(ARGV, first, last))
      if type(deleted) == 'table' then refused = deleted end
    elseif type(pending) == 'table' then
      refused = pending
    else
      for at = first, last do
        each[at] = pending > 0 and redis.pcall('XDEL', stream, ARGV[at]) or 0
        if type(each[at]) == 'table' then
          refused = each[at]
          break
        end
        lost = lost + 1 - each[at]
      end
    end
    if refused then
      -- For example since the user may not run a command. What is in the stream becomes pending again, for any node.
      for at = first, last do
        if redis.pcall('XRANGE', stream, ARGV[at], ARGV[at])[1] then
          redis.call('XCLAIM', stream, ARGV[1], 'returned', 0, ARGV[at], 'FORCE', 'JUSTID')
        end
        each[at] = 0
      end
      -- What was taken of the first stream is won, and the response must say so.
      if first == 6 then return refused end
      lost = lost + last + 1 - first
    end
  end
  first = last + 1
end
local at = 6
for account = first, #ARGV, 3 do
  local own, name, won = tonumber(ARGV[account]), ARGV[account + 1], tonumber(ARGV[account + 2])
  local after = at + won
  if lost > 0 then
    for entry = at, after - 1 do won = won - 1 + (each[entry] or 1) end
  end
  if name ~= '' and won > 0 then
    local left = redis.pcall('HINCRBY', held[own], name, -won)
    if type(left) ~= 'number' or left <= 0 then redis.pcall('HDEL', held[own], name) end
  end
  at = after
end
local response = all
if lost > 0 then
  response = {}
  for entry = 6, 5 + all do table.insert(response, each[entry] or 1) end
end
redis.pcall('SET', ARGV[2], ARGV[3] .. ' ' .. cjson.encode(response), 'PX', 60000)
return response
