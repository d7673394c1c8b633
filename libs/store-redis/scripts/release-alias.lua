#!lua
-- Takes an alias away from a user, and tells so.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 alias string: the AoR that it means
-- ARGV 1 AoR of the user
--      2 alias
-- Reply `released`, or `absent` when it means somebody else or nobody
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'absent'
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', 'rc:users', ARGV[2])
return 'released'
