#!lua
-- Replaces the state of a mailbox; tells its watchers when it is another.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 mailbox  string: JSON
--      2 watchers zset of the resource
--      3 dirty    stream of the shard; fields r = AoR, p = message-summary, k = [], t = traceparent
-- ARGV 1 AoR
--      2 the new state, empty to delete it
--      3 traceparent, may be empty
--      4 number of the shard, for the doorbell
--      5 most entries in dirty
-- Reply `changed` or `same`.
if (redis.call('GET', KEYS[1]) or '') == ARGV[2] then
  return 'same'
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'r', ARGV[1], 'p', 'message-summary', 'k', '[]', 't', ARGV[3])
  redis.call('PUBLISH', 'rc:bell', ARGV[4])
end
return 'changed'
