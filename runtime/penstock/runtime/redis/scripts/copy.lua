-- copy: give a thread the history and the values of another; what is pending there is not pending here.
-- A copy that has a record already keeps it, and its own retention.
--
-- ARGV[3] key of the thread, ARGV[4] key of the copy, ARGV[5] id of the copy, ARGV[6] nonce, ARGV[7] retention of
-- a thread, ARGV[8] head of the thread as far as the caller knows, ARGV[9] number of fields of the copy's hash, then
-- these as pairs, then entries of the history, the oldest first; all written for the copy.
-- Returns OK, UNKNOWN where nobody knows the thread, TAKEN where the copy's name has a history already, or MOVED
-- where the thread has another head.
-- Keys: thread:<key>, history:<key>, of both; made:<nonce>; those of separate.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate

local source, target = ARGV[3], ARGV[4]
if redis.call('EXISTS', key('made', ARGV[6])) == 1 then
  return 'OK'
end
local at = place_of(ARGV[5], target)
if at.head then
  return 'TAKEN'
end
local head = redis.call('HGET', key('thread', source), 'head')
if not head then
  return 'UNKNOWN'
elseif head ~= ARGV[8] then
  return 'MOVED'
end
redis.call('LTRIM', key('history', target), 1, 0) -- of a thread that was evicted
local fields = 2 * tonumber(ARGV[9])
for each = 10 + fields, #ARGV do
  redis.call('RPUSH', key('history', target), ARGV[each])
end
redis.call('HSET', key('thread', target), 'id', ARGV[5], unpack(ARGV, 10, 9 + fields))
rest(target, at.ttl or ARGV[7])
if at.listed then
  thread_lists().show_thread(target, at.listed)
end
redis.call('SET', key('made', ARGV[6]), '', 'PX', 60000) -- so that the same call sent again is not refused
return 'OK'
