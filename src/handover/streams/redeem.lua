-- Redeems claims of deliveries, after the lines of keys.lua. ARGV: the consumer group; the requester's own key; the number
-- of the request; how many entries of the first stream, and of the bulk stream, and how many packs; 1 if the own key's life
-- must be renewed, else 0; the ids of the entries;
-- for each pack its id, how many deliveries it was added with, its account, which of them are asked for, which of these are
-- to be parked (both as bits, the lowest for the first one), and the number of those asked for; then for each account of
-- the entries, in the order of the ids, its stream (1 or 2), its name or an empty word, and the number of its entries.
-- Returns how many deliveries were won if all were, else for each entry 1 or 0 and for each pack the bits of those won, with
-- the bit 65536 if Redis refused it. One step, so that no acknowledged entry stays in its stream.
--
-- If all entries of a stream are pending, all are won. If only some are, Redis does not say which; then those are won that
-- are still in the stream, since a won entry is removed from it here. Either way a won entry is neither pending nor in its
-- stream afterwards, so it is won once. If Redis refuses a part of that, it is an error, and nothing is won.
--
-- A pack is pending until all of its deliveries are won. Which of them are is in the number that Redis keeps with a pending
-- entry: how often it was delivered, which is left in the lowest byte. Unlike a key, that number can be changed while Redis
-- is full. One that is won to be parked is added to the bulk stream as an entry of its own.
--
-- The last response is kept for a minute, so that a request whose response was lost can be repeated. A full Redis does not
-- keep it, and still responds. If it can't lower an account's number of deliveries, it deletes the number: they count no
-- more.
local stored = redis.call('GET', ARGV[2])
if stored and string.sub(stored, 1, #ARGV[3] + 1) == ARGV[3] .. ' ' then
  return cjson.decode(string.sub(stored, #ARGV[3] + 2))
end
local begin = 8
local all, lost, each, first = ARGV[4] + ARGV[5], 0, {}, begin

-- What is in a stream becomes pending again, for any node.
local function give_back(own, id, number)
  local found = redis.pcall('XRANGE', streams[own], id, id)
  if found[1] or found.err then
    redis.pcall('XCLAIM', streams[own], ARGV[1], 'returned', 0, id, 'RETRYCOUNT', number, 'FORCE', 'JUSTID')
  end
end

local function count_out(own, name, number)
  local left = redis.pcall('HINCRBY', held[own], name, -number)
  if type(left) ~= 'number' or left <= 0 then redis.pcall('HDEL', held[own], name) end
end

for own = 1, 2 do
  local stream, last = streams[own], first - 1 + ARGV[3 + own]
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
      -- For example since the user may not run a command.
      for at = first, last do
        give_back(own, ARGV[at], 1)
        each[at] = 0
      end
      -- What was taken of the first stream is won, and the response must say so.
      if first == begin then return refused end
      lost = lost + last + 1 - first
    end
  end
  first = last + 1
end

local function mark(pack, owner, idle, won)
  local number = won * 256 + pack.pending[4] % 256
  return redis.pcall('XCLAIM', streams[3], ARGV[1], owner, 0, pack.id, 'IDLE', idle, 'RETRYCOUNT', number, 'JUSTID')
end

-- Adds those of the won ones that are to be parked to the bulk stream, each with the fields of any entry and the time of the
-- pack. One that Redis does not take, for example since another program has the key of the bulk stream, is not won: any node
-- may read the pack again, and so this one.
local function park(pack, parked)
  local found, fields, at, names = redis.pcall('XRANGE', streams[3], pack.id, pack.id), {}, 2, nil
  if #found == 0 and not found.err then return end
  local words, since = found[1] and found[1][2] or {}, string.match(pack.id, '^%d+')
  for word = 1, #words, 2 do fields[words[word]] = words[word + 1] end
  for part = 0, fields.pack and pack.of - 1 or -1 do
    local hops, id_length, firing_length, body_length, data = struct.unpack('>BI4I4I4', fields.pack, at)
    local firing_at, body_at = data + id_length, data + id_length + firing_length
    at = body_at + body_length
    local firing = string.sub(fields.pack, firing_at, body_at - 1)
    if part == 0 then
      local is_list, list = pcall(cjson.decode, firing)
      names = is_list and list
    end
    if bit.band(parked, 2 ^ part) ~= 0 then
      if string.sub(firing, 1, 1) == '=' and names then
        -- As the first one, but for the event's id.
        names[4] = string.sub(firing, 2)
        firing = cjson.encode(names)
      end
      words = {'target', fields.target, 'webhook-id', string.sub(fields.pack, data, firing_at - 1), 'body',
        string.sub(fields.pack, body_at, at - 1), 'firing', firing, 'since', since}
      if hops ~= 1 then words[#words + 1], words[#words + 2] = 'hops', hops end
      if not redis.pcall('XADD', streams[2], '*', unpack(words)).err then
        pack.parked = pack.parked + 2 ^ part
        redis.pcall('HINCRBY', held[2], pack.account, 1)
      end
    end
  end
  if pack.parked < parked then
    pack.won = pack.won - parked + pack.parked
    mark(pack, 'returned', 3600000, pack.before + pack.won)
  end
end

local function number_of(bits)
  local number = 0
  while bits > 0 do
    bits, number = bit.band(bits, bits - 1), number + 1
  end
  return number
end

local packs, done, won, refused = {}, {}, {}, nil
for number = 1, ARGV[6] do
  local of = tonumber(ARGV[first + 1])
  local pack = {id = ARGV[first], of = of, account = ARGV[first + 2], asked = tonumber(ARGV[first + 3]), parked = 0, won = 0}
  pack.number = tonumber(ARGV[first + 5])
  local pending = redis.pcall('XPENDING', streams[3], ARGV[1], pack.id, pack.id, 1)
  if pending.err and string.sub(pending.err, 1, 7) ~= 'NOGROUP' then refused, pack.refused = pending, 65536 end
  pack.pending = pending[1]
  if pack.pending then
    local parks, whole = tonumber(ARGV[first + 4]), 2 ^ of - 1
    -- Of a pack that can't be read, it is the only one, whatever was won before.
    pack.before = bit.band(math.floor(pack.pending[4] / 256), whole)
    pack.won = bit.band(pack.asked, bit.bnot(pack.before))
    parks = bit.band(parks, pack.won)
    if pack.won > 0 and (parks > 0 or pack.before + pack.won < whole) then
      local marked = mark(pack, pack.pending[2], pack.pending[3], pack.before + pack.won)
      if marked.err then
        refused, pack.refused, pack.won = marked, 65536, 0
      elseif parks > 0 then
        park(pack, parks)
      end
    end
    if pack.before + pack.won == whole then done[#done + 1] = pack end
  end
  packs[number], first = pack, first + 6
end
if #done > 0 then
  local ids = {}
  for number, pack in ipairs(done) do ids[number] = pack.id end
  local acknowledged = redis.pcall('XACK', streams[3], ARGV[1], unpack(ids))
  local deleted = type(acknowledged) == 'number' and redis.pcall('XDEL', streams[3], unpack(ids)) or acknowledged
  if type(deleted) ~= 'number' then
    refused = deleted
    for _, pack in ipairs(done) do
      give_back(3, pack.id, (pack.before + pack.parked) * 256)
      pack.won = pack.parked
    end
  end
end
local asked, taken, counts = 0, 0, {}
for number, pack in ipairs(packs) do
  local count = pack.won == pack.asked and pack.number or number_of(pack.won)
  asked, taken, won[number] = asked + pack.number, taken + count, pack.won + (pack.refused or 0)
  if count > 0 then counts[pack.account] = (counts[pack.account] or 0) + count end
end
-- What was won before must be said.
if refused and all == 0 and taken == 0 then return refused end
lost = lost + asked - taken
for account, number in pairs(counts) do
  if account ~= '' then count_out(3, account, number) end
end
if taken > 0 then count_out(3, '', taken) end
local at = begin
for account = first, #ARGV, 3 do
  local own, name, won = tonumber(ARGV[account]), ARGV[account + 1], tonumber(ARGV[account + 2])
  local after = at + won
  if lost > 0 then
    for entry = at, after - 1 do won = won - 1 + (each[entry] or 1) end
  end
  if name ~= '' and won > 0 then count_out(own, name, won) end
  at = after
end
local response = all + asked
if lost > 0 then
  response = {}
  for entry = begin, begin - 1 + all do table.insert(response, each[entry] or 1) end
  for _, bits in ipairs(won) do table.insert(response, bits) end
end
keep(ARGV[2], ARGV[3] .. ' ' .. cjson.encode(response), stored, ARGV[7])
return response
