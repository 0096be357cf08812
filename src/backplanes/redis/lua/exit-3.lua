-- A session goes from a channel; the leave is told when it was the last one of its user there. Leaving twice is leaving once.
--
-- KEYS 1 entries of the channel   2 entries of each user   3 bus channel
-- ARGV 1 session   2 PUBLISH or SPUBLISH
-- Returns 1 when a leave was told, otherwise 0
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if not stored then return 0 end
local entry = cjson.decode(stored)
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HINCRBY', KEYS[2], entry.u, -1) > 0 then return 0 end
redis.call('HDEL', KEYS[2], entry.u)
local member = { user = entry.u, name = entry.n, connections = 0, since = entry.s }
redis.call(ARGV[2], KEYS[3], '<' .. cjson.encode(member))
return 1
