#!lua
-- Puts a member that was taken off the due-set back where its record says, or away when there is no record.
--
-- KEYS 1 record of a subscription or of publications; octets 19 to 26 are the moment when it is due, base 36 ms
--      2 due    zset of the shard
-- ARGV 1 member
-- Reply `armed` or `gone`.
local record = redis.call('GETRANGE', KEYS[1], 18, 25)
if record == '' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 'gone'
end
redis.call('ZADD', KEYS[2], tonumber(record, 36), ARGV[1])
return 'armed'
