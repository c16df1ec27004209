-- The usual way to limit with Redis: GCRA in one script, time from the server. KEYS[1]; ARGV: burst, requests, window in seconds,
-- cost. Answers {limited, remaining, retry after in ms}. The baseline of tests/bench/side-by-side.
local burst, requests, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1e6 + clock[2]
local interval = window * 1e6 / requests
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or now))
local next_full_at = full_at + interval * cost
local opens_at = next_full_at - interval * burst
if opens_at > now then
  return { 1, 0, math.ceil((opens_at - now) / 1e3) }
end
redis.call('SET', KEYS[1], string.format('%.0f', next_full_at), 'PX', math.ceil((next_full_at - now) / 1e3) + 1)
return { 0, math.floor((now - opens_at) / interval), 0 }
