#!lua
-- Gives up an edge's lease, unless another start of the edge has taken it since.
--
-- KEYS 1 lease string
-- ARGV 1 the lease as it was written
-- Reply `released`, or `kept`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'kept'
end
redis.call('DEL', KEYS[1])
return 'released'
