-- The newest position of a channel. A channel that was never asked about gets its epoch here.
--
-- KEYS 1 meta of the channel   2 stream of the channel
-- ARGV 1 epoch, in case the channel is new   2 milliseconds a new channel is remembered
-- Returns { epoch, offset, id }
local meta = redis.call('HMGET', KEYS[1], 'e', 'o', 'i', 'm')
if not meta[1] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 'o', '0', 'i', '', 'f', '1', 'm', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return { ARGV[1], '0', '' }
end
redis.call('PEXPIRE', KEYS[1], meta[4])
return { meta[1], meta[2], meta[3] }
