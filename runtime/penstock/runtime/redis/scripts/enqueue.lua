-- enqueue: create a run and ring for it, once, however often the call is sent.
--
-- ARGV[3] run id, ARGV[4] thread key, ARGV[5] on_busy (queue, reject, interrupt, rollback),
-- ARGV[6] digests that what is asked for may be known by (the first is kept), ARGV[7] input as a checkpoint, ARGV[8] context or '',
-- ARGV[9] run.queued event, ARGV[10...] pairs of field and value of the run's hash (queue, entrypoint, thread, own_thread,
-- retention, keep, created_at, config, ...).
-- Returns { word, thread id or the id of the run at work, 1 if a live worker announces the entrypoint };
-- the word is created, exists, conflict (the id has another input) or busy (rejected).
-- Keys: run:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, waiting:<key>, entrypoints,
-- and those of settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/settle

local id, thread, on_busy = ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HMGET', key('run', id), 'digest', 'thread')
if known[1] then
  return { string.find(ARGV[6], known[1], 1, true) and 'exists' or 'conflict', known[2], '1' }
end

local record = key('thread', thread)
local active = redis.call('HGET', record, 'run')
local status = active and redis.call('HGET', key('run', active), 'status')
local busy = status == 'queued' or status == 'running'
if status == 'suspended' then
  busy = redis.call('HGET', key('run', active), 'asks') == '0' -- it comes back by itself
end
if status == 'queued' and redis.call('HGET', key('run', active), 'queue') == '' then
  busy = false -- left behind by a process that ran it itself and died: new input closes it
end
if busy and on_busy == 'reject' then
  return { 'busy', active, '1' }
end

local run = { 'HSET', key('run', id), 'status', 'queued', 'digest', string.match(ARGV[6], '^%S*'), 'thread_key', thread,
  'created', ms(now), 'updated', ms(now), 'attempt', 1, 'crashes', 0, 'batch', 0 }
for at = 10, #ARGV do
  run[#run + 1] = ARGV[at]
end
redis.call(unpack(run))
redis.call('HSET', key('checkpoints', id), 'input', ARGV[7])
if ARGV[8] ~= '' then
  redis.call('HSET', key('checkpoints', id), 'context', ARGV[8])
end
append_texts(key('events', id), key('channel', id), 0, { ARGV[9], '' })
index(id, '', 'queued')
redis.call('HSET', record, 'id', redis.call('HGET', key('run', id), 'thread'))
redis.call('PERSIST', record)

local name = redis.call('HGET', key('run', id), 'entrypoint')
local announced = tonumber(redis.call('ZSCORE', ARGV[1] .. ':entrypoints', name) or 0) > now and '1' or ''
if not status and redis.call('LLEN', key('waiting', thread)) > 0 then
  -- The run that the thread was at is gone; the first of those behind it is next.
  redis.call('RPUSH', key('waiting', thread), id)
  redis.call('ZADD', READY, ms(now), id)
  start_next(thread)
  return { 'created', '', announced }
end
if busy then
  redis.call('RPUSH', key('waiting', thread), id)
  redis.call('ZADD', READY, ms(now), id)
  if on_busy == 'interrupt' or on_busy == 'rollback' then
    redis.call('HSET', key('run', active), 'cancel', on_busy)
    if status == 'running' then
      redis.call('PUBLISH', CONTROL, active)
    else
      settle_here(active, 'cancelled', on_busy)
    end
  end
  return { 'created', '', announced }
end
redis.call('HSET', record, 'run', id)
if status == 'suspended' or status == 'queued' then
  settle_here(active, 'cancelled', 'superseded')
end
ring(id, false)
return { 'created', '', announced }
