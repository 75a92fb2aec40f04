-- put: store a point of a graph, with the values that are new in it; the same point again replaces it.
--
-- ARGV[1] thread id, ARGV[2] space, ARGV[3] its namespace, ARGV[4] root point that it hangs on ('' for none), ARGV[5]
-- id of the point, ARGV[6] its record, ARGV[7] ms for which the thread is kept from now on ('' for ever); then values,
-- three parts each: field, field of the version that it continues ('' for none), record ('': the channel has no value in
-- this version).
-- Returns the fields that are to be continued and are not there, or the id of a run that is at work on the thread: then
-- nothing was stored.
-- Keys: KEYS[1] graph:<thread>, KEYS[2] graph:<thread>:<space>, KEYS[3] graph:<thread>:<space>:order; those of at_work
-- and keep.
-- include: penstock.langgraph.redis.scripts/at_work
-- include: penstock.langgraph.redis.scripts/keep

local missing = {}
local busy = at_work(ARGV[1])
if busy then
  return busy
end
for at = 8, #ARGV, 3 do
  if ARGV[at + 1] ~= '' and redis.call('HEXISTS', KEYS[2], ARGV[at + 1]) == 0 then
    missing[#missing + 1] = ARGV[at + 1]
  end
end
if #missing > 0 then
  return missing
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'space:' .. ARGV[2], cjson.encode({ ARGV[3], ARGV[4] }))
for at = 8, #ARGV, 3 do
  if ARGV[at + 2] == '' then
    redis.call('HDEL', KEYS[2], ARGV[at])
  else
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 2])
  end
end
redis.call('HSET', KEYS[2], 'p ' .. ARGV[5], ARGV[6])
redis.call('ZADD', KEYS[3], 0, ARGV[5])
keep(KEYS[1], ARGV[7], KEYS[2])
return missing
