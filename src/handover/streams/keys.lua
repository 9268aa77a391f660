-- The beginning of scripts that get the key of a partition's first stream: the keys of both streams, and of their
-- entries' numbers by account.
local streams = {KEYS[1], (string.gsub(KEYS[1], ':deliveries$', ':bulk'))}
local held = {(string.gsub(KEYS[1], ':deliveries$', ':held')), (string.gsub(KEYS[1], ':deliveries$', ':bulk:held'))}
