-- The owner of entries in a channel says that they go on, and hears which of them are not there as its own.
--
-- KEYS 1 entries of the channel   2 entries of each user
-- ARGV 1 milliseconds both keys live   2 node   3… sessions, at most some hundreds
-- Returns the sessions whose entry is missing or another node's
local missing = {}
local stored = redis.call('HMGET', KEYS[1], unpack(ARGV, 3))
for at, entry in ipairs(stored) do
  if not entry or cjson.decode(entry).x ~= ARGV[2] then missing[#missing + 1] = ARGV[at + 2] end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return missing
