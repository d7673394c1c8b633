#!lua
-- Lets an alias mean a user, unless it is somebody's AoR or means another.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 user  hash of the user whose AoR the alias would be
--      2 alias string: the AoR that it means
-- ARGV 1 AoR of the user
--      2 holder that may lose it because their record does not say that they have it, or empty
-- Reply {`claimed`, ``}, {`kept`, ``} when it meant that user before, or {`taken`, holder}; the holder is empty when it is an AoR, or
--      when the claim is fresh: its user may be on the way
if redis.call('EXISTS', KEYS[1]) == 1 then
  return { 'taken', '' }
end
local holder = redis.call('GET', KEYS[2])
if holder == ARGV[1] then
  return { 'kept', '' }
end
if holder and redis.call('PTTL', KEYS[2]) > 0 then
  return { 'taken', '' }
end
if holder and holder ~= ARGV[2] then
  return { 'taken', holder }
end
-- Until the record of the user is there (keep-alias), for 30 s; what never gets one goes by itself.
redis.call('SET', KEYS[2], ARGV[1], 'PX', 30000)
return { 'claimed', '' }
