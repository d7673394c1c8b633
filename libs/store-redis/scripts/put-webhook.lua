#!lua
-- Creates or replaces a webhook, unless it is new and there are as many as there may be.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 webhooks hash: webhooks by id
-- ARGV 1 id
--      2 the webhook, JSON
--      3 most webhooks
-- Reply `kept`, or `refused`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then
  return 'refused'
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'kept'
