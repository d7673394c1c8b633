#!lua
-- Takes finished entries out of the dirty stream.
--
-- KEYS 1 dirty stream of the shard, group `presence`
-- ARGV ids of the entries
-- Reply `done`.
redis.call('XACK', KEYS[1], 'presence', unpack(ARGV))
redis.call('XDEL', KEYS[1], unpack(ARGV))
return 'done'
