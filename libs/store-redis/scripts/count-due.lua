#!lua
-- How many AoRs of a shard are due.
--
-- KEYS 1 … 16 due zsets of the shard, see take-due.lua
-- ARGV 1 now in ms
-- Reply the number
local count = 0
for i = 1, #KEYS do
  -- A set that is damaged holds up no other: commit.lua or the repair command makes it anew.
  local due = redis.pcall('ZCOUNT', KEYS[i], '-inf', ARGV[1])
  count = count + (tonumber(due) or 0)
end
return count
