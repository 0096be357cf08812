-- The newest positions of channels. A channel that was never asked about gets its epoch here.
--
-- KEYS 2 for each channel: meta, stream
-- ARGV 1 epoch, in case a channel is new   2 milliseconds a new channel is remembered
-- Returns one line for each channel: `epoch offset id`
local lines = {}
for k = 1, #KEYS, 2 do
  local meta = redis.call('HMGET', KEYS[k], 'e', 'o', 'i', 'm')
  if meta[1] then
    -- Quiet channels are asked about every few seconds: a write, with its copies, is worth it only when a tenth of the life is gone.
    local life = tonumber(meta[4])
    if redis.call('PTTL', KEYS[k]) < life * 0.9 then redis.call('PEXPIRE', KEYS[k], meta[4]) end
    lines[#lines + 1] = meta[1] .. ' ' .. meta[2] .. ' ' .. meta[3]
  else
    redis.call('DEL', KEYS[k + 1])
    redis.call('HSET', KEYS[k], 'e', ARGV[1], 'o', '0', 'i', '', 'f', '1', 'm', ARGV[2])
    redis.call('PEXPIRE', KEYS[k], ARGV[2])
    lines[#lines + 1] = ARGV[1] .. ' 0 '
  end
end
return table.concat(lines, '\n')
