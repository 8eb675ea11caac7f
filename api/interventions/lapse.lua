-- Takes out of the undone whatever has ended by itself, in one step, so that no acknowledgement falls between.
--
-- KEYS  the undone's ends, the undone, the lapsed
-- ARGV  now in µs, the most to take at once
-- Returns how many were taken.

local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])

for _, id in ipairs(ids) do
  local due = redis.call('ZSCORE', KEYS[2], id)
  redis.call('ZREM', KEYS[1], id)
  if due then
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZADD', KEYS[3], due, id)
  end
end

return #ids
