-- Adds deliveries to a stream, after the lines of keys.lua: counts them for their accounts, of which there are ARGV 5
-- (each name is followed by its number of deliveries), and adds the entries, of ARGV 4 words each, to a stream (ARGV 3:
-- 1 the first, 2 the bulk stream, 3 that of packs, whose deliveries also count for the empty name). Returns how many
-- deliveries all streams hold, each account with how many of them it has, and the server's time in microseconds. The
-- number of a Publisher's last group (ARGV 2) is kept for a minute under its own key (ARGV 1; ARGV 6 is 1 if its life
-- must be renewed, else 0), so that a group whose response was lost can be sent again and is added once. Of an empty
-- stream nothing counts.
local own, words, first, results = tonumber(ARGV[3]), tonumber(ARGV[4]), 7 + 2 * ARGV[5], {}
local length, known, counts = redis.call('XLEN', streams[own]), redis.call('GET', ARGV[1]), {}
if tonumber(known or 0) < tonumber(ARGV[2]) then
  -- A full Redis refuses this, and then all of it: what is not kept would be added again with the group.
  local kept = keep(ARGV[1], ARGV[2], known, ARGV[6])
  if kept.err then return kept end
  if length == 0 then redis.call('DEL', held[own]) end
  for at = first, #ARGV, words do
    redis.call('XADD', streams[own], '*', unpack(ARGV, at, at + words - 1))
  end
  for at = 7, first - 1, 2 do counts[at] = redis.pcall('HINCRBY', held[own], ARGV[at], ARGV[at + 1]) end
end
local deliveries = 0
for each = 1, 3 do
  local number = deliveries_in(each)
  deliveries = deliveries + number
  for at = number > 0 and 7 or first, first - 1, 2 do
    local held_there = each == own and counts[at] or redis.pcall('HGET', held[each], ARGV[at])
    results[at] = (results[at] or 0) + (type(held_there) ~= 'table' and tonumber(held_there or 0) or 0)
  end
end
local accounts = {}
for at = 7, first - 1, 2 do
  if ARGV[at] ~= '' then
    accounts[#accounts + 1] = ARGV[at]
    accounts[#accounts + 1] = results[at] or 0
  end
end
local time = redis.call('TIME')
return {deliveries, accounts, time[1] * 1000000 + time[2]}
