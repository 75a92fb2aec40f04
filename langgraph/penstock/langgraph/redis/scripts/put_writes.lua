-- put_writes: store pending writes of a point; they may come before the point, which never takes them away.
--
-- ARGV[1] thread id, ARGV[2] space, ARGV[3] its namespace, ARGV[4] id of the point, ARGV[5] ms for which the thread is
-- kept from now on ('' for ever); then writes, three parts each: name, 1 if the first of a name wins and 0 if the last
-- does, record.
-- The names of a point's writes stand in the field `t <id>`, one a line.
-- Returns '', or the id of a run that is at work on the thread: then nothing was stored.
-- Keys: KEYS[1] graph:<thread>, KEYS[2] graph:<thread>:<space>; KEYS[3] is not reached; those of at_work and keep.
-- include: penstock.langgraph.redis.scripts/at_work
-- include: penstock.langgraph.redis.scripts/keep

local busy = at_work(ARGV[1])
if busy then
  return busy
end
redis.call('HSET', KEYS[1], 'id', ARGV[1])
redis.call('HSETNX', KEYS[1], 'space:' .. ARGV[2], cjson.encode({ ARGV[3], '' }))
local names = redis.call('HGET', KEYS[2], 't ' .. ARGV[4]) or ''
local before = #names
for at = 6, #ARGV, 3 do
  local field = 'w ' .. ARGV[4] .. ' ' .. ARGV[at]
  local is_there = redis.call('HEXISTS', KEYS[2], field) == 1
  if not is_there then
    names = names .. ARGV[at] .. '\n'
  end
  if not is_there or ARGV[at + 1] == '0' then
    redis.call('HSET', KEYS[2], field, ARGV[at + 2])
  end
end
if #names > before then
  redis.call('HSET', KEYS[2], 't ' .. ARGV[4], names)
end
keep(KEYS[1], ARGV[5], KEYS[2])
return ''
