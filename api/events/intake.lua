-- Takes a chunk of events in one step: tells new ones from repeats and appends the new ones to the stream.
--
-- KEYS  the stream, then the hashes of ids seen, this period's first
-- ARGV  seconds a hash lives after its last write, most entries the stream may hold, then for each event its
--       identity (empty: it has none), its fingerprint, its bytes as they came and its receipt in µs
-- Returns a digit for each event, 0 (taken), 1 (seen before) or 2 (seen before with other content), in one
-- string; or nothing at all, with nothing taken, when the stream is full.

local stream, present = KEYS[1], KEYS[2]
local count = (#ARGV - 2) / 4

if redis.call('XLEN', stream) + count > tonumber(ARGV[2]) then
  return false
end

local identities = {}
for i = 1, count do
  identities[i] = ARGV[4 * i - 1]
end

local known = {}
for k = 2, #KEYS do
  local prints = redis.call('HMGET', KEYS[k], unpack(identities))
  for i = 1, count do
    if prints[i] then
      known[identities[i]] = prints[i]
    end
  end
end

local verdicts, fresh = {}, {}
for i = 1, count do
  local identity, print, original, received = identities[i], ARGV[4 * i], ARGV[4 * i + 1], ARGV[4 * i + 2]
  if identity == '' or not known[identity] then
    redis.call('XADD', stream, '*', 'e', original, 'r', received)
    if identity ~= '' then
      known[identity] = print
      fresh[#fresh + 1] = identity
      fresh[#fresh + 1] = print
    end
    verdicts[i] = 0
  else
    verdicts[i] = known[identity] == print and 1 or 2
  end
end

if #fresh > 0 then
  redis.call('HSET', present, unpack(fresh))
  redis.call('EXPIRE', present, ARGV[1])
end

return table.concat(verdicts)
