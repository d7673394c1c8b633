#!lua
-- Replaces what an operator keeps for a resource: its watcher rules, or the list that it is; tells its watchers.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 document string: format and version (10 octets), JSON
--      2 watchers zset of the resource
--      3 dirty    stream of the shard; fields r = AoR, p = rules or list, k = [], t = traceparent
-- ARGV 1 AoR
--      2 the new document, empty to delete it
--      3 traceparent, may be empty
--      4 number of the shard, for the doorbell
--      5 most entries in dirty
--      6 `rules` or `list`
-- Reply `changed`, or `none` when there was nothing to delete.
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
elseif redis.call('DEL', KEYS[1]) == 0 then
  return 'none'
end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'r', ARGV[1], 'p', ARGV[6], 'k', '[]', 't', ARGV[3])
  redis.call('PUBLISH', 'rc:bell', ARGV[4])
end
return 'changed'
