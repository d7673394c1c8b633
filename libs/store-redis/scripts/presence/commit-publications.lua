#!lua
-- Compare-and-set of the publications of one resource; tells its watchers.
-- Durable: a 200 to PUBLISH rests on it.
--
-- KEYS 1 record   string: format and version (10 octets), last expiry (8), next expiry (8), the publications; see src/presence
--      2 watchers zset of the resource
--      3 due      zset of the shard
--      4 dirty    stream of the shard; fields r = AoR, p = presence, e = packages, k = [], t = traceparent
-- ARGV 1 AoR
--      2 expected format and version, empty when no record is expected
--      3 the new record, empty to delete it
--      4 PXAT in ms: last expiry plus grace
--      5 `1` when watchers are told
--      6 traceparent, may be empty
--      7 number of the shard, for the doorbell
--      8 most entries in dirty
--      9 the packages that changed, a space between them; empty: all may have
-- Reply `committed`, or { `conflict`, record or empty }; nothing is changed by a conflict.
local record, due, aor, expected, value = KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3]

local current = redis.call('GET', record)
if (current and current:sub(1, 10) or '') ~= expected then
  return { 'conflict', current or '' }
end

local member = 'p:' .. aor
if value == '' then
  redis.call('DEL', record)
  redis.call('ZREM', due, member)
else
  redis.call('SET', record, value, 'PXAT', ARGV[4])
  redis.call('ZADD', due, tonumber(value:sub(19, 26), 36), member)
end

if ARGV[5] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'r', aor, 'p', 'presence',
    'e', ARGV[9], 'k', '[]', 't', ARGV[6])
  redis.call('PUBLISH', 'rc:bell', ARGV[7])
end
return 'committed'
