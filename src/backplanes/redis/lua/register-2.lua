-- A node says that its life has present sessions in channels, before it enters them: whoever sweeps after it finds the life, and with
-- it the channels, also in a Redis that has just lost everything.
--
-- KEYS 1 channels of the life   2 lives
-- ARGV 1 life   2 milliseconds both keys live   3… channels, at most some hundreds
-- Returns how many of the channels were not known
local new = redis.call('SADD', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return new
