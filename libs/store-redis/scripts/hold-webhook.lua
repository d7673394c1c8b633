#!lua
-- Takes, renews or gives up the lease of a webhook.
--
-- KEYS 1 lease string: who delivers, with a time to live
-- ARGV 1 holder
--      2 time to live, ms; 0 gives it up
-- Reply `held`, `released`, or `refused`: another has it
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 'refused'
end
local ttl = tonumber(ARGV[2])
if ttl == 0 then
  redis.call('DEL', KEYS[1])
  return 'released'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ttl)
return 'held'
