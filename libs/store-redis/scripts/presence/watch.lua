#!lua
-- Adds an id to a set of them that lives as long as its last member may.
--
-- KEYS 1 zset, all scores 0
-- ARGV 1 id
--      2 PXAT in ms
-- Reply `added`.
redis.call('ZADD', KEYS[1], 0, ARGV[1])
if redis.call('PEXPIRETIME', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIREAT', KEYS[1], ARGV[2])
end
return 'added'
