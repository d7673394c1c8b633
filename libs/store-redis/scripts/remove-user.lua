#!lua
-- Removes a user, and its place in the listing of its domain.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 user  hash of the user
--      2 index zset of a domain in this shard
-- ARGV 1 AoR
--      2 what to tell on rc:users: the AoR, or `*` for all
-- Reply `removed`, or `absent`
local removed = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', 'rc:users', ARGV[2])
return removed == 1 and 'removed' or 'absent'
