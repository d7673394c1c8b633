#!lua
-- How many AoRs of a shard are due.
--
-- KEYS 1 … 16 due zsets of the shard, see take-due.lua
-- ARGV 1 now in ms
-- Reply the number
local count = 0
for i = 1, #KEYS do
  count = count + redis.call('ZCOUNT', KEYS[i], '-inf', ARGV[1])
end
return count
