#!lua
-- Ends the take of a message.
-- Not durable: what a failover forgets is taken once more.
--
-- KEYS 1 messages hash, see put-message.lua
-- ARGV 1 id
--      2 when it can be taken again in ms; empty when it has been delivered
-- Reply `settled`
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 'settled'
end
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value then
  local expiry, octets = value:match('^(%d+) %d+ (.*)$')
  redis.call('HSET', KEYS[1], ARGV[1], expiry .. ' ' .. ARGV[2] .. ' ' .. octets)
end
return 'settled'
