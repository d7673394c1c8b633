#!lua
-- Takes AoRs whose time has come off the due-set for the length of a lease; a sweeper that dies in the middle loses none.
--
-- KEYS 1 due zset of the shard: AoR by next expiry in ms. A whole score was set by a commit or rearm.lua, one ending in .5 is a lease.
-- ARGV 1 now in ms
--      2 end of the lease in ms
--      3 most AoRs to take
-- Reply the AoRs, earliest first.
local lease = tonumber(ARGV[2]) - 0.5
local aors = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', '0', ARGV[3])
for i = 1, #aors do
  redis.call('ZADD', KEYS[1], string.format('%.1f', lease), aors[i])
end
return aors
