#!lua
-- Moves the position of a webhook on, if the lease is still the holder's and the webhook still there.
--
-- KEYS 1 lease string: who delivers
--      2 positions hash: cursors by webhook id
--      3 webhooks hash: webhooks by id
-- ARGV 1 holder
--      2 webhook id
--      3 cursor
-- Reply `moved`, or `refused`
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then
  return 'refused'
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return 'moved'
