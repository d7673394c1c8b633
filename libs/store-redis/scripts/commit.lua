#!lua
-- Compare-and-set of a location record with all that must change with it.
-- Durable: a 200 to REGISTER rests on it.
--
-- KEYS 1 record  string: format and version (10 octets), next expiry (8), bindings; see src/codec
--      2 watchers zset of the AoR; its existence means that somebody is told of changes
--      3 due      zset, the one of the shard that the AoR is in: AoR by next expiry in ms
--      4 changes  stream of the shard for operators; field c = packed changes
--      5 dirty    stream of the shard for presence; fields r = AoR, p = reg, k = JSON [[kind, binding id, contact] ...], t = traceparent
--      6 index    zset, the one of the shard that the AoR is in: AoRs with a record, see list-aors.lua
-- ARGV 1 AoR
--      2 expected format and version, empty when no record is expected
--      3 the new record, empty to delete it
--      4 PXAT in ms: last expiry plus grace
--      5 next expiry in ms, for the due-set; empty leaves the due-set as it is
--      6 packed changes, empty for none
--      7 `1` when they go out only if somebody watches (refreshes)
--      8 JSON of the changes for k
--      9 traceparent, may be empty
--     10 number of the shard, for the doorbell
-- Reply `committed`, or { `conflict`, record or empty }; nothing is changed by a conflict.

-- Entries kept in each stream: what a reader may be late by.
local CHANGES_KEPT, DIRTY_KEPT = 1000, 10000
local record, watchers, due = KEYS[1], KEYS[2], KEYS[3]
local aor, expected, value = ARGV[1], ARGV[2], ARGV[3]
local next_expiry, changes = ARGV[5], ARGV[6]

-- A set or stream that is damaged (of another type) holds nothing and harms nobody but itself: it begins anew.
local function put(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if reply.err:find('WRONGTYPE', 1, true) then
      redis.call('DEL', key)
    end
    redis.call(command, key, ...)
  end
end

local current = redis.call('GET', record)
if (current and current:sub(1, 10) or '') ~= expected then
  return { 'conflict', current or '' }
end

-- Only a record that comes or goes touches the index: an AoR as the index has it is `domain AoR without its domain`.
if (value == '') == (current ~= false) then
  local user, domain = aor:match('^(.*)@(.*)$')
  local member = (domain or '') .. ' ' .. (user or aor)
  if current then
    put('ZREM', KEYS[6], member)
  else
    put('ZADD', KEYS[6], 0, member)
  end
end

if value == '' then
  if current then
    redis.call('DEL', record)
  end
  put('ZREM', due, aor)
else
  redis.call('SET', record, value, 'PXAT', ARGV[4])
  if next_expiry ~= '' then
    put('ZADD', due, next_expiry, aor)
  end
end

if changes ~= '' then
  local watched = redis.call('EXISTS', watchers) == 1
  if watched or ARGV[7] ~= '1' then
    put('XADD', KEYS[4], 'MAXLEN', '~', CHANGES_KEPT, '*', 'c', changes)
  end
  if watched then
    put('XADD', KEYS[5], 'MAXLEN', '~', DIRTY_KEPT, '*', 'r', aor, 'p', 'reg', 'k', ARGV[8], 't', ARGV[9])
    redis.call('PUBLISH', 'rc:bell', ARGV[10])
  end
end
return 'committed'
