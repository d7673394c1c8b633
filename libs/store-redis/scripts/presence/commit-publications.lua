#!lua
-- Compare-and-set of the publications of one resource; tells its watchers.
-- Durable: a 200 to PUBLISH rests on it.
--
-- KEYS 1 record   string: format and version (10 octets), last expiry (8), next expiry (8), the publications; see src/presence
--      2 watchers zset of the resource
--      3 due      zset of the shard
--      4 dirty    stream of the shard; fields r = AoR, p = presence, e = packages, k = [], t = traceparent
--      5 location string of the resource
-- ARGV 1 AoR
--      2 expected format and version, empty when no record is expected
--      3 the new record, empty to delete it
--      4 PXAT in ms: last expiry plus grace
--      5 `1` when watchers are told
--      6 traceparent, may be empty
--      7 number of the shard, for the doorbell
--      8 most entries in dirty
--      9 the packages that changed, a space between them; empty: all may have
--     10 most watchers that the caller tells itself; 11 until when it has time: then `d:` and the AoR in due is for anybody to take
-- Reply `committed`; { `tell`, ids of the watchers, location record or empty }: the caller has to tell them; or { `conflict`, record or empty }; nothing is changed by a conflict.
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

if ARGV[5] ~= '1' then
  return 'committed'
end
local most = tonumber(ARGV[10])
local ids = redis.call('ZRANGE', KEYS[2], 0, most)
if #ids > most then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'r', aor, 'p', 'presence',
    'e', ARGV[9], 'k', '[]', 't', ARGV[6])
  redis.call('PUBLISH', 'rc:bell', ARGV[7])
elseif #ids > 0 then
  redis.call('ZADD', due, ARGV[11], 'd:' .. aor)
  return { 'tell', ids, redis.call('GET', KEYS[5]) or '' }
end
return 'committed'
