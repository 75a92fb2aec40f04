-- suspend: the last write of an attempt whose run now waits, for answers or for a time.
--
-- ARGV as in commit, then: ms by Redis's clock when it goes on by itself ('' if it does not), the number of remote
-- steps that it waits for and their ids, pairs of interrupt id and encoded question.
-- Returns OK, CANCELLED (a cancel came first: the run has ended so) or FENCED.
-- Where one of the remote steps is not under way any more, or one of the questions was answered while the attempt was
-- at work, the run is queued again at once.
-- A run that asks nothing is still at work on its thread; one that asks gives way to newer input.
-- Keys: those of commit and settle; questions:<id> (hash: interrupt id -> question); timers.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/settle
-- include: penstock.runtime.redis.scripts/questions
-- include: penstock.runtime.redis.scripts/commit

local at, answer = commit()
if not at then
  return answer
end
local id = ARGV[3]
redis.call('DEL', key('questions', id))
local away = tonumber(ARGV[at + 1])

-- Remote steps that the code has given up are called off: this attempt has sent them, or one before, and it does not
-- wait for them.
local function call_off_others(home)
  local awaited = {}
  for each = at + 2, at + 1 + away do
    awaited[ARGV[each]] = true
  end
  local remote = redis.call('HGETALL', key('remote', home))
  for each = 1, #remote, 2 do
    local step, by = remote[each], remote[each + 1]
    if not awaited[step] and redis.call('HGET', key('run', by), 'caller') == id then
      remote_end().give_up(home, step, by)
    end
  end
end
local run = redis.call('HMGET', key('run', id), 'queue', 'worker', 'fence', 'thread_key', 'cancel', 'home', 'sends',
  'created', 'feed', 'listed', 'hooks')
if (run[9] or run[11]) and ARGV[at + 2 + away] then
  feed().emit_change(id, { feed = run[9], hooks = run[11] }, 'run.interrupted', 'suspended')
end
if run[6] or run[7] then
  call_off_others(run[6] or id)
end
local asks, comes_back = list_questions(id, at + 2 + away)
if run[5] then
  settle_here(id, 'cancelled', run[5])
  return 'CANCELLED'
end

-- When it goes on by itself. One that waits for remote steps looks after them from time to time, in case that
-- somebody has deleted the keys of one: then it is sent again.
local LOOK = 3600000
local due = ARGV[at]
if away > 0 and (due == '' or tonumber(due) > now + LOOK) then
  due = ms(now + LOOK)
end
drop(id, 'running')
status_to(id, 'running', 'suspended')
if not run[6] then
  redis.call('ZADD', SUSPENDED, run[8], id)
end
redis.call('HDEL', key('run', id), 'worker')
redis.call('HSET', key('run', id), 'asks', asks and '1' or '0', 'wakes', due)
if due ~= '' and run[1] ~= '' then
  redis.call('ZADD', TIMERS, due, id)
end
show_ended(id, run[1], run[2] or '', run[3], 'finished', 3600000)
if asks and redis.call('LLEN', key('waiting', run[4])) > 0 then
  settle_here(id, 'cancelled', 'superseded')
  return 'OK'
end
for each = at + 2, at + 1 + away do
  local by = redis.call('HGET', key('remote', run[6] or id), ARGV[each])
  comes_back = comes_back or not by or redis.call('EXISTS', key('run', by)) == 0
end
if run[10] and asks and not comes_back then
  thread_lists().show_thread(run[4], 'interrupted')
end
if comes_back then
  redis.call('ZREM', TIMERS, id)
  status_to(id, 'suspended', 'queued')
  offer(id, true)
end
return 'OK'
