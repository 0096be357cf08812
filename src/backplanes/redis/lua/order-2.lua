-- An order to all nodes: kept for those who do not hear the call, and the call itself.
--
-- KEYS 1 stream of orders   2 bus channel that wakes
-- ARGV 1 order: JSON   2 orders kept   3 milliseconds the stream lives after its newest
-- Returns the id of the order
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'o', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PUBLISH', KEYS[2], id)
return id
