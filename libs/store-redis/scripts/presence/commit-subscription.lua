#!lua
-- Compare-and-set of one subscription for a SUBSCRIBE, with the sets that name it, and the state that its NOTIFY tells.
-- Durable: the 200 to a SUBSCRIBE rests on it.
--
-- KEYS 1 record   string: format and version (10 octets), expiry in ms (8, base 36), due in ms (8, base 36), the rest; see src/presence
--      2 watchers zset of the resource, all scores 0, so that it is in the order of the ids; its existence makes commits tell presence
--      3 due      zset of the shard: subscription id by the moment when somebody has to look at it
--      4 winfo    string of the resource: exists while somebody may watch its watchers
--      5 dirty    stream of the shard; fields r = AoR, p = watchers, k = the change
--      6 rules    string: who may watch the resource; the first 10 octets are its version
--      7, 8, 9    what is read of the resource's state
-- ARGV 1 subscription id
--      2 expected format and version, empty when no record is expected
--      3 the new record, empty to delete it
--      4 PXAT in ms: last moment of use plus grace
--      5 `1` when it is a subscription to watcher information
--      6 what watcher information has to tell of it, empty for nothing
--      7 AoR, 8 number of the shard, 9 most entries in dirty
--     10 version of the rules that the decision rests on, empty for none; `-` when it rests on no rules
--     11 how many of keys 7, 8, 9 are read
-- Reply { `committed`, values }, { `conflict`, record or empty } or { `rules`, rules or empty }; only the first has changed anything.
local CLAIM = 20000 -- ms, longer than a claim lasts
local record, watchers, due = KEYS[1], KEYS[2], KEYS[3]
local id, expected, value, lives_until = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local got = redis.call('MGET', record, KEYS[4], KEYS[6], KEYS[7], KEYS[8], KEYS[9])
local current = got[1]
if (current and current:sub(1, 10) or '') ~= expected then
  return { 'conflict', current or '' }
end
if ARGV[10] ~= '-' then
  local rules = got[3] or ''
  if rules:sub(1, 10) ~= ARGV[10] then
    return { 'rules', rules }
  end
end

if ARGV[6] ~= '' and got[2] then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[9], '*', 'r', ARGV[7], 'p', 'watchers', 'k', ARGV[6])
  redis.call('PUBLISH', 'rc:bell', ARGV[8])
end

if value == '' then
  redis.call('DEL', record)
  redis.call('ZREM', watchers, id)
  redis.call('ZREM', due, id)
  return { 'committed', {} }
end

redis.call('SET', record, value, 'PXAT', lives_until)
if ARGV[5] == '1' and redis.call('PEXPIRETIME', KEYS[4]) < tonumber(lives_until) then
  redis.call('SET', KEYS[4], '1', 'PXAT', lives_until)
end
if not current then
  redis.call('ZADD', watchers, 0, id)
end
if not current or value:sub(11, 18) ~= current:sub(11, 18) then
  if redis.call('PEXPIRETIME', watchers) < tonumber(lives_until) then
    redis.call('PEXPIREAT', watchers, lives_until)
  end
end
-- A claim after a claim is looked at with the first one, which does no harm.
local at, was = tonumber(value:sub(19, 26), 36), current and tonumber(current:sub(19, 26), 36)
if not was or at < was or at > was + CLAIM then
  redis.call('ZADD', due, at, id)
end

local values = {}
for n = 1, tonumber(ARGV[11]) do
  values[n] = got[3 + n] or ''
end
return { 'committed', values }
