-- One publication of a channel in one step: idempotency, offset, append, trim, times to live, bus.
--
-- KEYS 1 meta of the channel   2 stream of the channel   3 idempotency key   4 bus channel
-- ARGV 1 id of the publication
--      2 epoch, in case the log begins now
--      3 head: JSON without line breaks
--      4 data: JSON text
--      5 publications kept; 0: passed on and not kept
--      6 milliseconds they are kept        7 milliseconds the position is known
--      8 milliseconds the idempotency key holds; 0: there is none
--      9 PUBLISH or SPUBLISH
-- Returns { epoch, offset, id, 1 when the key was used before and nothing was done, otherwise 0 }
local id, head, data = ARGV[1], ARGV[3], ARGV[4]
local size, window = tonumber(ARGV[5]), tonumber(ARGV[8])

if window > 0 then
  local known = redis.call('GET', KEYS[3])
  if known then
    local epoch, offset, first = string.match(known, '^(%S+) (%d+) (%S+)$')
    return { epoch, offset, first, 1 }
  end
end

local epoch, offset, before = 'none', '0', ''
if size > 0 then
  local meta = redis.call('HMGET', KEYS[1], 'e', 'o', 'i', 'f')
  local top = 0
  if meta[1] then
    epoch, top, before = meta[1], tonumber(meta[2]), meta[3]
  else
    epoch = ARGV[2]
  end
  local kept = redis.call('EXISTS', KEYS[2]) == 1
  -- A log that begins has no past. Only a needed write may come before XADD: it alone is refused when the memory is full.
  if top == 0 and kept then
    redis.call('DEL', KEYS[2])
    kept = false
  end
  offset = string.format('%.0f', top + 1)
  local first = top + 1
  if kept then first = math.max(tonumber(meta[4] or '1'), top + 2 - size) end
  redis.call('XADD', KEYS[2], 'MAXLEN', size + 1, offset .. '-0', 'h', head, 'd', data)
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', offset, 'i', id, 'f', string.format('%.0f', first), 'm', ARGV[7])
  -- The log had ended by its time: the id before its first entry is in no stream any more.
  if not kept then redis.call('HSET', KEYS[1], 'a', before) end
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
end
if window > 0 then redis.call('SET', KEYS[3], epoch .. ' ' .. offset .. ' ' .. id, 'PX', window) end
redis.call(ARGV[9], KEYS[4], epoch .. ' ' .. offset .. ' ' .. before .. '\n' .. head .. '\n' .. data)
return { epoch, offset, id, 0 }
