#!lua
-- Compare-and-set of up to 16 subscriptions of one shard as their NOTIFYs are claimed and answered, each by itself.
--
-- KEYS 1 … 50: the shard's due zset and dirty stream, then for each subscription its record, the watchers of its resource and the
--      resource's winfo; they are what commit-subscription.lua says. Calls with fewer subscriptions have fewer keys: 2 + 3 * #items.
-- ARGV 1 number of the shard, 2 most entries in dirty
--      3 a member of due that is done with when all are committed, empty for none; 4 its score: another one was put there anew
--      then for each subscription: id; expected format and version; the new record, empty to delete it; PXAT in ms;
--      what watcher information has to tell of it, empty for nothing; AoR; `1` when it is to watcher information
-- Reply for each subscription 1 when it is committed, else the record that there is, or empty.
local due, dirty = KEYS[1], KEYS[2]
local replies, conflicts = {}, 0

for n = 1, (#KEYS - 2) / 3 do
  local record, watchers, winfo = KEYS[3 * n], KEYS[3 * n + 1], KEYS[3 * n + 2]
  local at = 7 * n - 3
  local id, expected, value, lives_until = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local current = redis.call('GET', record)
  if (current and current:sub(1, 10) or '') ~= expected then
    replies[n] = current or ''
    conflicts = conflicts + 1
  else
    replies[n] = 1
    if ARGV[at + 5] ~= '' and redis.call('EXISTS', winfo) == 1 then
      redis.call('XADD', dirty, 'MAXLEN', '~', ARGV[2], '*', 'r', ARGV[at + 6], 'p', 'watchers', 'k', ARGV[at + 5])
      redis.call('PUBLISH', 'rc:bell', ARGV[1])
    end
    if value == '' then
      redis.call('DEL', record)
      redis.call('ZREM', watchers, id)
      redis.call('ZREM', due, id)
    else
      redis.call('SET', record, value, 'PXAT', lives_until)
      if ARGV[at + 7] == '1' and redis.call('PEXPIRETIME', winfo) < tonumber(lives_until) then
        redis.call('SET', winfo, '1', 'PXAT', lives_until)
      end
      if not current then
        redis.call('ZADD', watchers, 0, id)
        redis.call('PEXPIREAT', watchers, lives_until, 'GT')
        redis.call('PEXPIREAT', watchers, lives_until, 'NX')
      end
      if not current or value:sub(19, 26) ~= current:sub(19, 26) then
        redis.call('ZADD', due, tonumber(value:sub(19, 26), 36), id)
      end
    end
  end
end

if ARGV[3] ~= '' and conflicts == 0 and redis.call('ZSCORE', due, ARGV[3]) == ARGV[4] then
  redis.call('ZREM', due, ARGV[3])
end
return replies
