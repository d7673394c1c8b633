#!lua
-- Takes a value of an AoR over from another shard, with the places that it has in the sets of this one.
--
-- KEYS 1 key of the value
--      2 due   zset that the AoR is in, see take-due.lua
--      3 index zset that the AoR is in, see list-aors.lua
--      4 sdue  zset of the shard, for presence
-- ARGV 1 the value, as DUMP gives it
--      2 its expiry in ms, 0 for none
--      3 what it is: `r` a location record, `p` publications, anything else has no place in a set
--      4 AoR
--      5 the AoR as it stands in the index
-- Reply `adopted`
redis.call('RESTORE', KEYS[1], ARGV[2], ARGV[1], 'REPLACE', 'ABSTTL')
if ARGV[3] == 'r' and redis.call('TYPE', KEYS[1]).ok == 'string' then
  local first = tonumber(redis.call('GETRANGE', KEYS[1], 10, 17), 36)
  if first then
    redis.call('ZADD', KEYS[2], string.format('%d', first), ARGV[4])
    redis.call('ZADD', KEYS[3], 0, ARGV[5])
  end
elseif ARGV[3] == 'p' and redis.call('TYPE', KEYS[1]).ok == 'string' then
  local at = tonumber(redis.call('GETRANGE', KEYS[1], 18, 25), 36)
  if at then
    redis.call('ZADD', KEYS[4], string.format('%d', at), 'p:' .. ARGV[4])
  end
end
return 'adopted'
