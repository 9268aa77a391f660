-- The beginning of scripts that get the key of a partition's first stream: the keys of its streams (the first, the bulk
-- stream, the stream of packs), and of their deliveries' numbers by account.
local streams = {KEYS[1], (string.gsub(KEYS[1], ':deliveries$', ':bulk')), (string.gsub(KEYS[1], ':deliveries$', ':packs'))}
local held = {(string.gsub(KEYS[1], ':deliveries$', ':held')), streams[2] .. ':held', streams[3] .. ':held'}
-- How many deliveries a stream holds, 0 if its key is of another type. A pack holds several: their number in all packs is
-- kept under an empty name beside those of the accounts.
local function deliveries_in(own)
  local entries = redis.pcall('XLEN', streams[own])
  if type(entries) ~= 'number' then return 0 end
  local packed = own == 3 and entries > 0 and redis.pcall('HGET', held[3], '')
  return math.max(entries, type(packed) == 'string' and tonumber(packed) or 0)
end
