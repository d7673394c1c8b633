#!lua
-- Takes the oldest messages of an AoR that nobody has taken: whoever asks first has them until a time.
-- Not durable: what a failover forgets is taken once more.
--
-- KEYS 1 messages hash, see put-message.lua
-- ARGV 1 most messages to take
--      2 now in ms
--      3 end of the take in ms
-- Reply { id, expiry in ms, octets, id, ... } in the order of arrival
local now = tonumber(ARGV[2])
local ids = redis.call('HKEYS', KEYS[1])
table.sort(ids)
local taken = {}
for _, id in ipairs(ids) do
  if #taken >= tonumber(ARGV[1]) * 3 then
    break
  end
  local expiry, busy, octets = redis.call('HGET', KEYS[1], id):match('^(%d+) (%d+) (.*)$')
  if tonumber(expiry) <= now then
    redis.call('HDEL', KEYS[1], id)
  elseif tonumber(busy) <= now then
    redis.call('HSET', KEYS[1], id, expiry .. ' ' .. ARGV[3] .. ' ' .. octets)
    table.insert(taken, id)
    table.insert(taken, expiry)
    table.insert(taken, octets)
  end
end
return taken
