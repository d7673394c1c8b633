#!lua
-- Ends the lease of an AoR on the due-set. What a commit has armed since it was taken is only ever made earlier.
--
-- KEYS 1 due zset that the AoR is in, see take-due.lua
--      2 record of the AoR
--      3 index zset that the AoR is in, see list-aors.lua
-- ARGV 1 AoR
--      2 when it is due again in ms; empty for never
--      3 the AoR as it stands in the index
-- Reply `armed`, or `left` when there was nothing to do.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
local leased = score and tonumber(score) % 1 ~= 0
if ARGV[2] == '' then
  if leased then
    redis.call('ZREM', KEYS[1], ARGV[1])
    -- A record that went by its own expiry, the net under the sweepers, has left its place in the index.
    if redis.call('EXISTS', KEYS[2]) == 0 then
      redis.call('ZREM', KEYS[3], ARGV[3])
    end
  end
  return 'left'
end
if score and not leased and tonumber(score) <= tonumber(ARGV[2]) then
  return 'left'
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 'armed'
