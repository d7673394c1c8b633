#!lua
-- Reads a location record for an answer that writes nothing itself.
-- Durable: a 200 that lists bindings, or says that there are none to remove, rests on what others have written.
--
-- KEYS 1 record
--      2 mark   string of the shard. WAIT counts only what its own connection has written: this write comes after all that was read.
-- Reply the record, or empty
redis.call('SET', KEYS[2], '1', 'PX', 60000)
return redis.call('GET', KEYS[1]) or ''
