#!lua
-- Compare-and-set of a location record by a refresh: the bindings stay, none expires earlier than before, and nobody watches.
-- Durable: a 200 to REGISTER rests on it.
--
-- KEYS 1 record   string: format and version (10 octets), next expiry (8), bindings; see src/codec
--      2 watchers zset of the AoR; its existence means that somebody is told of changes
-- ARGV 1 expected format and version
--      2 the new record
--      3 PXAT in ms: last expiry plus grace
-- Reply `committed`; { `conflict`, record or empty }; or `whole`: this is more than a refresh, nothing is changed, commit.lua does it.
local expected, value = ARGV[1], ARGV[2]

local current = redis.call('GET', KEYS[1])
if not current or current:sub(1, 10) ~= expected then
  return { 'conflict', current or '' }
end
if value:sub(11, 18) < current:sub(11, 18) or redis.call('EXISTS', KEYS[2]) == 1 then
  return 'whole'
end
redis.call('SET', KEYS[1], value, 'PXAT', ARGV[3])
return 'committed'
