#!lua
-- Takes AoRs whose time has come off the due-sets for the length of a lease; a sweeper that dies in the middle loses none.
--
-- KEYS 1 … 16 due zsets of the shard: AoR by next expiry in ms. A whole score was set by commit.lua or rearm.lua, one that ends in
--      .5 is a lease.
-- ARGV 1 now in ms
--      2 end of the lease in ms
--      3 most AoRs to take
-- Reply the AoRs
local lease = string.format('%.1f', tonumber(ARGV[2]) - 0.5)
local room = tonumber(ARGV[3])
local taken = {}
for i = 1, #KEYS do
  if room > 0 then
    -- That of a damaged set is an error without members: it holds up no other.
    local aors = redis.pcall('ZRANGE', KEYS[i], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', '0', room)
    for j = 1, #aors do
      redis.call('ZADD', KEYS[i], lease, aors[j])
      taken[#taken + 1] = aors[j]
    end
    room = room - #aors
  end
end
return taken
