#!lua
-- Compare-and-set of the publications of one resource; tells its watchers, or claims them with the same call.
-- Durable: a 200 to PUBLISH rests on it.
--
-- KEYS 1 … 21: what follows, then the record of each claim: 5 + #claims in all
--      1 record   string: format and version (10 octets), last expiry (8), next expiry (8), the publications; see src/presence
--      2 watchers zset of the resource
--      3 due      zset of the shard
--      4 dirty    stream of the shard; fields r = AoR, p = presence, e = packages, k = [], t = traceparent
--      5 location string of the resource; its first 10 octets are its version
-- ARGV 1 AoR
--      2 expected format and version, empty when no record is expected
--      3 the new record, empty to delete it
--      4 PXAT in ms: last expiry plus grace
--      5 `1` when watchers are told
--      6 traceparent, may be empty
--      7 number of the shard, for the doorbell
--      8 most entries in dirty
--      9 the packages that changed, a space between them; empty: all may have
--     10 most watchers that the caller tells itself; 11 until when it has time: then `d:` and the AoR in due is for anybody to take
--     12 the watchers that the claims are made for, a space between them; empty: no claims; 13 version of the location that they rest on
--      then for each claim: id; expected format and version; the new record, empty to leave it as it is; PXAT in ms
-- Reply `committed`; `told`: the claims hold; { `tell`, ids of the watchers, location record or empty }: the caller has to tell them;
--      or { `conflict`, record or empty }; nothing is changed by a conflict.
local CLAIM = 20000 -- ms, longer than a claim lasts
local record, due, aor, expected, value = KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3]

local got = redis.call('MGET', record, KEYS[5], unpack(KEYS, 6))
local current, location = got[1], got[2] or ''
if (current and current:sub(1, 10) or '') ~= expected then
  return { 'conflict', current or '' }
end

local member = 'p:' .. aor
if value == '' then
  redis.call('DEL', record)
  redis.call('ZREM', due, member)
else
  redis.call('SET', record, value, 'PXAT', ARGV[4])
  redis.call('ZADD', due, tonumber(value:sub(19, 26), 36), member)
end

-- Makes all claims, or none.
local function claimed()
  for n = 6, #KEYS do
    if (got[n - 3] or ''):sub(1, 10) ~= ARGV[4 * n - 9] then
      return false
    end
  end
  for n = 6, #KEYS do
    local next = ARGV[4 * n - 8]
    if next ~= '' then
      redis.call('SET', KEYS[n], next, 'PXAT', ARGV[4 * n - 7])
      -- A claim after a claim is looked at with the first one, which does no harm.
      local at, was = tonumber(next:sub(19, 26), 36), tonumber(got[n - 3]:sub(19, 26), 36)
      if at < was or at > was + CLAIM then
        redis.call('ZADD', due, at, ARGV[4 * n - 10])
      end
    end
  end
  return true
end

if ARGV[5] ~= '1' then
  return 'committed'
end
local most = tonumber(ARGV[10])
local ids = redis.call('ZRANGE', KEYS[2], 0, most)
if #ids > most then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*', 'r', aor, 'p', 'presence', 'e', ARGV[9], 'k', '[]', 't', ARGV[6])
  redis.call('PUBLISH', 'rc:bell', ARGV[7])
elseif #ids > 0 then
  if ARGV[12] == table.concat(ids, ' ') and ARGV[13] == location:sub(1, 10) and claimed() then
    return 'told'
  end
  redis.call('ZADD', due, ARGV[11], 'd:' .. aor)
  return { 'tell', ids, location }
end
return 'committed'
