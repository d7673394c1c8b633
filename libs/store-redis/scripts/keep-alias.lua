#!lua
-- Makes the claim of an alias last: the record of its user says now that they have it.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 alias string: the AoR that it means
-- Reply 1 when it was a claim, 0 when it lasted already
return redis.call('PERSIST', KEYS[1])
