#!lua
-- Takes what is to be done in a shard: new entries of the dirty stream, entries that a taker left unfinished, members that are due.
--
-- KEYS 1 dirty stream of the shard, group `presence`
--      2 due   zset of the shard: subscription ids, and `p:` before an AoR with publications
-- ARGV 1 now in ms
--      2 most entries, and most due members, to take
--      3 lease in ms: what is taken now and not finished is given again after it
--      4 `1` for new entries only
-- Reply { new entries, entries left unfinished, due members }; an entry is { id, { field, value ... } }.
local dirty, due = KEYS[1], KEYS[2]
local now, limit, lease = tonumber(ARGV[1]), ARGV[2], ARGV[3]
-- All replicas share one consumer: an entry goes to one reader all the same, and no name outlives its pod.
local consumer = 'presence'

local read = redis.pcall('XREADGROUP', 'GROUP', 'presence', consumer, 'COUNT', limit, 'STREAMS', dirty, '>')
if type(read) == 'table' and read.err then
  if not read.err:find('NOGROUP', 1, true) then
    return read
  end
  redis.call('XGROUP', 'CREATE', dirty, 'presence', '0', 'MKSTREAM')
  read = redis.call('XREADGROUP', 'GROUP', 'presence', consumer, 'COUNT', limit, 'STREAMS', dirty, '>')
end
local fresh = read and read[1][2] or {}
if ARGV[4] == '1' then
  return { fresh, {}, {} }
end
local left = redis.call('XAUTOCLAIM', dirty, 'presence', consumer, lease, '0-0', 'COUNT', limit)[2]

local members = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, limit)
for _, member in ipairs(members) do
  redis.call('ZADD', due, now + tonumber(lease), member)
end
return { fresh, left, members }
