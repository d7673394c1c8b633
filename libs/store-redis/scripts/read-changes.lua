#!lua
-- What came into a shard's change stream after an entry, with the time up to which the answer is whole.
--
-- KEYS 1 changes stream of the shard
-- ARGV 1 id of the last entry seen, or `now` for none but those to come
--      2 most entries to give
-- Reply { now in ms, last id of the stream, id of its oldest entry or empty, number of entries ever added,
--         number of entries held, entries }. Entries added later have an id of `now` or above.
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then
  return { now, '0-0', '', '0', '0', {} }
end
local info = redis.call('XINFO', 'STREAM', KEYS[1])
local fields = {}
for i = 1, #info, 2 do
  fields[info[i]] = info[i + 1]
end
local oldest = fields['first-entry'] and fields['first-entry'][1] or ''
local entries = {}
if ARGV[1] ~= 'now' then
  entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
end
return {
  now,
  fields['last-generated-id'],
  oldest,
  tostring(fields['entries-added']),
  tostring(fields['length']),
  entries,
}
