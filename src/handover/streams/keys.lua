-- The beginning of scripts that get the key of a partition's first stream, which ends with `deliveries`: the keys of its
-- streams (the first, the bulk stream, the stream of packs), and of their deliveries' numbers by account.
local partition = string.sub(KEYS[1], 1, -11)
local streams = {KEYS[1], partition .. 'bulk', partition .. 'packs'}
local held = {partition .. 'held', partition .. 'bulk:held', partition .. 'packs:held'}
-- How many deliveries a stream holds, and how many entries; 0 and nil if its key is of another type. A pack holds several:
-- their number in all packs is kept under an empty name beside those of the accounts.
local function deliveries_in(own)
  local entries = redis.pcall('XLEN', streams[own])
  if type(entries) ~= 'number' then return 0 end
  local packed = own == 3 and entries > 0 and redis.pcall('HGET', held[3], '')
  return math.max(entries, type(packed) == 'string' and tonumber(packed) or 0), entries
end
-- Keeps a text for a requester that repeats itself. To set when it expires costs as much as all else, so that is done where
-- the requester says so, and where the key is new: then for at least a minute after each request.
local function keep(key, text, is_known, renews)
  if is_known and renews == '0' then return redis.pcall('SET', key, text, 'KEEPTTL') end
  return redis.pcall('SET', key, text, 'PX', 180000)
end
