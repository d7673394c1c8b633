#!lua
-- Adds an API token, unless there are as many as there may be, or one with its id.
-- Durable: an answer to an operator rests on it.
--
-- KEYS 1 tokens hash: tokens by id
-- ARGV 1 id
--      2 the token, JSON
--      3 most tokens
-- Reply `added`, or `refused`
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) or redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then
  return 'refused'
end
return 'added'
