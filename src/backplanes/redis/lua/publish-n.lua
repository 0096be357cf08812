-- Publications of one turn, one after another, each in one step of its own: idempotency, offset, append, trim, times to live, bus. What
-- becomes of one says nothing of the others.
--
-- Neighbours that have the same numbers share them: they are a run.
--
-- KEYS for each publication: meta of its channel, its stream, its bus channel, and its idempotency key if its run has them
-- ARGV 1 PUBLISH or SPUBLISH
--      2 epoch, in case a log begins now
--      3 1 when replicas shall confirm: a key that was used before is written again, so that there is something to wait for
--      then for each run
--      five numbers with a space between: its publications; how many a channel keeps, 0 for those that are passed on and not kept;
--      milliseconds they are kept; milliseconds the position is known; milliseconds an idempotency key holds, 0 when there are none
--      and for each publication of it
--      head: JSON without line breaks that begins with {"i":"<id>"
--      data: JSON text
-- Returns one line for each publication: `epoch offset`; `=epoch offset id` when the key was used before and nothing was done; `!error`
-- when nothing was done; `?error` when only a part was. When all are refused for the same reason, that is the error of the call
local verb, candidate, confirmed = ARGV[1], ARGV[2], ARGV[3] == '1'
local call, format, match = redis.call, string.format, string.match
-- Those of the run, and what has become of the publication so far.
local count, size, ttl, life, window
local begun

local function publish(k, a)
  local head, data, meta, key = ARGV[a], ARGV[a + 1], KEYS[k], KEYS[k + 3]
  if window > 0 then
    local known = call('GET', key)
    if known then
      if confirmed then call('PEXPIRE', key, math.max(1, call('PTTL', key))) end
      return '=' .. known
    end
  end

  local epoch, offset, before = 'none', '0', ''
  if size > 0 then
    local stream = KEYS[k + 1]
    local known = call('HMGET', meta, 'e', 'o', 'i', 'f')
    local id = match(head, '^{"i":"([^"]+)"')
    local top = 0
    if known[1] then
      epoch, top, before = known[1], tonumber(known[2]), known[3]
    else
      epoch = candidate
    end
    local kept = call('EXISTS', stream) == 1
    -- A log that begins has no past. Only a needed write may come before XADD: it alone is refused when the memory is full.
    if top == 0 and kept then
      call('DEL', stream)
      kept = false
    end
    offset = format('%.0f', top + 1)
    local first = top + 1
    if kept then first = math.max(tonumber(known[4] or '1'), top + 2 - size) end
    call('XADD', stream, 'MAXLEN', size + 1, offset .. '-0', 'h', head, 'd', data)
    begun = true
    if kept then
      call('HSET', meta, 'e', epoch, 'o', offset, 'i', id, 'f', format('%.0f', first), 'm', life)
    else
      -- The log had ended by its time: the id before its first entry is in no stream any more.
      call('HSET', meta, 'e', epoch, 'o', offset, 'i', id, 'f', format('%.0f', first), 'm', life, 'a', before)
    end
    call('PEXPIRE', stream, ttl)
    call('PEXPIRE', meta, life)
  end
  if window > 0 then
    -- The id is needed here and above only: a publication that leaves nothing behind has none in Redis.
    call('SET', key, epoch .. ' ' .. offset .. ' ' .. match(head, '^{"i":"([^"]+)"'), 'PX', window)
    begun = true
  end
  call(verb, KEYS[k + 2], epoch .. ' ' .. offset .. ' ' .. before .. '\n' .. head .. '\n' .. data)
  return epoch .. ' ' .. offset
end

local lines, refused, reason = {}, 0, nil
local k, a = 1, 4
while a <= #ARGV do
  count, size, ttl, life, window = match(ARGV[a], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
  size, window = tonumber(size), tonumber(window)
  a = a + 1
  for _ = 1, tonumber(count) do
    begun = false
    local done, line = pcall(publish, k, a)
    if not done then
      local text = type(line) == 'table' and line.err or tostring(line)
      -- Before version 7 an error says first where in the script it was.
      text = string.gsub(string.gsub(text, '^@?user_script: ?%d+: ?%-?', ''), '[\r\n]+', ' ')
      if not begun and (reason == nil or reason == text) then
        reason, refused = text, refused + 1
      end
      line = (begun and '?' or '!') .. text
    end
    lines[#lines + 1] = line
    k = k + (window > 0 and 4 or 3)
    a = a + 2
  end
end
if refused == #lines then return { err = reason } end
return table.concat(lines, '\n')
