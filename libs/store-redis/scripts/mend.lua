#!lua
-- Compares the places of an AoR in the due-set and the index with its record, and mends them where asked to.
--
-- KEYS 1 record of the AoR
--      2 due   zset that the AoR is in, see take-due.lua
--      3 index zset that the AoR is in, see list-aors.lua
-- ARGV 1 AoR
--      2 the AoR as it stands in the index
--      3 `1` to mend
--      4 `1` when the record cannot be read: mending deletes it
--      5 PXAT in ms for a record that has no expiry of its own
-- Reply what was found: `unreadable`, `forever`, `not-due`, `due-late`, `not-indexed`, `due-without-record`, `indexed-without-record`
local found, mend = {}, ARGV[3] == '1'
local record = redis.call('TYPE', KEYS[1]).ok
if record ~= 'none' and (ARGV[4] == '1' or record ~= 'string') then
  found[#found + 1] = 'unreadable'
  if not mend then
    return found
  end
  redis.call('DEL', KEYS[1])
  record = 'none'
end

local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
local indexed = redis.call('ZSCORE', KEYS[3], ARGV[2])
if record == 'none' then
  if score then
    found[#found + 1] = 'due-without-record'
  end
  if indexed then
    found[#found + 1] = 'indexed-without-record'
  end
  if mend then
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('ZREM', KEYS[3], ARGV[2])
  end
  return found
end

if redis.call('PTTL', KEYS[1]) == -1 then
  found[#found + 1] = 'forever'
  if mend then
    redis.call('PEXPIREAT', KEYS[1], ARGV[5])
  end
end
local first = tonumber(redis.call('GETRANGE', KEYS[1], 10, 17), 36)
-- A score that ends in .5 is the lease of a sweeper, which puts it right itself.
if not score or (tonumber(score) > first and tonumber(score) % 1 == 0) then
  found[#found + 1] = score and 'due-late' or 'not-due'
  if mend then
    redis.call('ZADD', KEYS[2], string.format('%d', first), ARGV[1])
  end
end
if not indexed then
  found[#found + 1] = 'not-indexed'
  if mend then
    redis.call('ZADD', KEYS[3], 0, ARGV[2])
  end
end
return found
