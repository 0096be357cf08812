-- The name of a dead life goes when nothing is left to sweep after it. In one step, since a channel may be registered at any moment.
--
-- KEYS 1 channels of the life   2 lives
-- ARGV 1 life
-- Returns 1 when the life is forgotten, 0 when there are channels to sweep
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SREM', KEYS[2], ARGV[1])
return 1
