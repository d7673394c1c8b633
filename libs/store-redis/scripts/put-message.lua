#!lua
-- Keeps a message for an AoR whose user is away, if there is room for it.
-- Durable: the sender is told 202.
--
-- KEYS 1 messages hash: id -> expiry in ms, end of its take in ms, octets
-- ARGV 1 id, which sorts behind all before it
--      2 expiry in ms
--      3 the message
--      4 most messages that may wait
--      5 now in ms
-- Reply `kept`, or `full`
local last = tonumber(ARGV[2])
local fields = redis.call('HGETALL', KEYS[1])
local count = 0
for i = 1, #fields, 2 do
  local expiry = tonumber(fields[i + 1]:match('^(%d+)'))
  if expiry <= tonumber(ARGV[5]) then
    redis.call('HDEL', KEYS[1], fields[i])
  else
    count = count + 1
    last = math.max(last, expiry)
  end
end
if count >= tonumber(ARGV[4]) then
  return 'full'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' 0 ' .. ARGV[3])
redis.call('PEXPIREAT', KEYS[1], string.format('%d', last))
return 'kept'
