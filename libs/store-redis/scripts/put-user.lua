#!lua
-- Creates or replaces a user, with its place in the listing of its domain.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 user  hash of the user
--      2 index zset of a domain in this shard: AoRs, all of score 0, so in octet order
--      3 alias string: the AoR that this AoR means, if it is an alias
-- ARGV 1 AoR
--      2 what to tell on rc:users: the AoR, `*` for all, empty for nothing
--      3 … field, value, field, value …
-- Reply {`stored`, the field of aliases that was there or empty}, or {`alias`, the AoR that this one means}
local meant = redis.call('GET', KEYS[3])
if meant then
  return { 'alias', meant }
end
local aliases = redis.call('HGET', KEYS[1], 'l')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], 0, ARGV[1])
if ARGV[2] ~= '' then
  redis.call('PUBLISH', 'rc:users', ARGV[2])
end
return { 'stored', aliases or '' }
