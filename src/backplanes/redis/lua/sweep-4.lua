-- Ends the entries one node has in a part of a channel, and tells the leaves. Called again with the cursor it returned until that is 0,
-- so that a room of many thousands does not hold up Redis. From its beginning on nothing is entered under this name here: what is still
-- on its way would never be swept.
--
-- KEYS 1 entries of the channel   2 entries of each user   3 bus channel   4 grave of the life in this channel
-- ARGV 1 node   2 cursor, 0 to begin   3 PUBLISH or SPUBLISH   4 milliseconds the grave stays
-- Returns the next cursor
if ARGV[2] == '0' then redis.call('SET', KEYS[4], '1', 'PX', ARGV[4]) end
local found = redis.call('HSCAN', KEYS[1], ARGV[2], 'COUNT', 500)
for at = 1, #found[2], 2 do
  local entry = cjson.decode(found[2][at + 1])
  if entry.x == ARGV[1] then
    redis.call('HDEL', KEYS[1], found[2][at])
    if redis.call('HINCRBY', KEYS[2], entry.u, -1) <= 0 then
      redis.call('HDEL', KEYS[2], entry.u)
      local member = { user = entry.u, name = entry.n, connections = 0, since = entry.s }
      redis.call(ARGV[3], KEYS[3], '<' .. cjson.encode(member))
    end
  end
end
return found[1]
