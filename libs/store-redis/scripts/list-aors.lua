#!lua
-- AoRs of a shard that have a record, in the order of the shard's index sets and of the octets in each.
--
-- KEYS 1 … 128 index zsets of the shard: `domain AoR without its domain`, all of score 0
-- ARGV 1 number of the set to begin in, from 1
--      2 lower bound in that set, as ZRANGE … BYLEX takes it
--      3 lower bound in the sets after it
--      4 upper bound
--      5 most members to give
-- Reply { number of the set where it stopped, 0 when the shard is through; members of the sets, then their sets' numbers }
local from, room = ARGV[2], tonumber(ARGV[5])
local members, sets = {}, {}
for i = tonumber(ARGV[1]), #KEYS do
  -- That of a damaged set is an error without members.
  local found = redis.pcall('ZRANGE', KEYS[i], from, ARGV[4], 'BYLEX', 'LIMIT', 0, room)
  for j = 1, #found do
    members[#members + 1] = found[j]
    sets[#sets + 1] = i
  end
  room = room - #found
  if room <= 0 then
    return { i, members, sets }
  end
  from = ARGV[3]
end
return { 0, members, sets }
