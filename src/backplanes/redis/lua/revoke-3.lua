-- Revocations into the list that all nodes keep. Each is joined with the one of the same name that is there: the later moments count.
-- What changed the list is told with its tag and the tag before it, so that a node sees whether it missed something between.
--
-- KEYS 1 list: name → "before until", and its tag   2 names by their end   3 bus channel
-- ARGV 1 tag of the list after this   2 milliseconds since 1970: what ended before goes   3… name, before, until, at most some hundreds
-- Returns how many changed the list
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, 100)
for _, name in ipairs(ended) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end

local told = {}
for at = 3, #ARGV, 3 do
  local name, before, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local stored = redis.call('HGET', KEYS[1], name)
  local value = before .. ' ' .. ends
  if stored then
    local known, knownEnd = string.match(stored, '^(%d+) (%d+)$')
    if tonumber(known) > tonumber(before) then before = known end
    if tonumber(knownEnd) > tonumber(ends) then ends = knownEnd end
    value = before .. ' ' .. ends
  end
  if value ~= stored then
    redis.call('HSET', KEYS[1], name, value)
    redis.call('ZADD', KEYS[2], ends, name)
    told[#told + 1] = value .. ' ' .. name
  end
end
if #told == 0 then return 0 end

local tag = redis.call('HGET', KEYS[1], 'tag') or ''
redis.call('HSET', KEYS[1], 'tag', ARGV[1])
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
local left = string.format('%.0f', math.max(1, tonumber(last[2]) - tonumber(ARGV[2])))
redis.call('PEXPIRE', KEYS[1], left)
redis.call('PEXPIRE', KEYS[2], left)
redis.call('PUBLISH', KEYS[3], tag .. ' ' .. ARGV[1] .. '\n' .. table.concat(told, '\n'))
return #told
