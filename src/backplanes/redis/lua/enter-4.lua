-- A session comes into a channel; the join is told when its user had none there. Another user's entry under the same session is left
-- first. Entering twice is entering once.
--
-- KEYS 1 entries of the channel   2 entries of each user   3 bus channel   4 grave of the life in this channel
-- ARGV 1 session   2 user   3 entry: JSON { u, n, s, x }   4 milliseconds both keys live
--      5 PUBLISH or SPUBLISH
-- Returns 1 when a join was told, otherwise 0; -1 when this life was swept here, and nothing was done
if redis.call('EXISTS', KEYS[4]) == 1 then return -1 end

local function tell(sign, entry, connections)
  local member = { user = entry.u, name = entry.n, connections = connections, since = entry.s }
  redis.call(ARGV[5], KEYS[3], sign .. cjson.encode(member))
end

local stored = redis.call('HGET', KEYS[1], ARGV[1])
local before = stored and cjson.decode(stored)
if before and before.u ~= ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  if redis.call('HINCRBY', KEYS[2], before.u, -1) <= 0 then
    redis.call('HDEL', KEYS[2], before.u)
    tell('<', before, 0)
  end
  before = nil
end

-- Counts without entries are what is left when the two did not end in the same millisecond.
if not before and redis.call('HLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
local told = 0
if not before and redis.call('HINCRBY', KEYS[2], ARGV[2], 1) == 1 then
  tell('>', cjson.decode(ARGV[3]), 1)
  told = 1
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return told
