#!lua
-- Creates or replaces a user, with its place in the listing of its domain.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 user  hash of the user
--      2 index zset of a domain in this shard: AoRs, all of score 0, so in octet order
-- ARGV 1 AoR
--      2 what to tell on rc:users: the AoR, `*` for all, empty for nothing
--      3 … field, value, field, value …
-- Reply `stored`
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], 0, ARGV[1])
if ARGV[2] ~= '' then
  redis.call('PUBLISH', 'rc:users', ARGV[2])
end
return 'stored'
