-- A part of a channel's log with its newest position. A channel that was never asked about gets its epoch here, so that a reader who
-- saw nothing yet can still come back.
--
-- KEYS 1 meta of the channel   2 stream of the channel
-- ARGV 1 after: forward, offsets over it, oldest first; reverse, offsets under it, newest first, 0 from the top
--      2 publications wanted   3 1 for reverse, otherwise 0
--      4 epoch, in case the channel is new   5 milliseconds a new channel is remembered
--      6 bytes after which no more are added
-- Returns { epoch, offset, id, head at `after` or '', { offset, head, data, offset, head, data, … } }
local after, wanted, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[6])
local meta = redis.call('HMGET', KEYS[1], 'e', 'o', 'i', 'f', 'm', 'a')
if not meta[1] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', ARGV[4], 'o', '0', 'i', '', 'f', '1', 'm', ARGV[5])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  return { ARGV[4], '0', '', '', {} }
end
redis.call('PEXPIRE', KEYS[1], meta[5])
local top, oldest = tonumber(meta[2]), tonumber(meta[4])
local function id(offset) return string.format('%.0f-0', offset) end

local seen = ''
-- The stream holds one more than the history: only its id is of use.
if after > 0 and after < top and after >= oldest - 1 then
  local at = redis.call('XRANGE', KEYS[2], id(after), id(after))
  if at[1] then
    seen = at[1][2][2]
  elseif after == oldest - 1 and meta[6] then
    seen = '{"i":"' .. meta[6] .. '"}'
  end
end

local found, bytes = {}, 0
local step = tonumber(ARGV[3]) == 1 and -1 or 1
local from = step > 0 and math.max(after + 1, oldest) or (after > 0 and math.min(after - 1, top) or top)
local last = step > 0 and top or oldest
while wanted > 0 and bytes < most and (last - from) * step >= 0 do
  local count = math.min(wanted, 200)
  local part
  if step > 0 then
    part = redis.call('XRANGE', KEYS[2], id(from), id(last), 'COUNT', count)
  else
    part = redis.call('XREVRANGE', KEYS[2], id(from), id(last), 'COUNT', count)
  end
  for _, entry in ipairs(part) do
    local head, data = entry[2][2], entry[2][4]
    local offset = string.match(entry[1], '^%d+')
    found[#found + 1] = offset
    found[#found + 1] = head
    found[#found + 1] = data
    bytes = bytes + #head + #data
    from = tonumber(offset) + step
    if bytes >= most then break end
  end
  wanted = wanted - #part
  if #part < count then break end
end
return { meta[1], meta[2], meta[3], seen, found }
