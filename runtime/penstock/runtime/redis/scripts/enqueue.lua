-- enqueue: create a run and ring for it, once, however often the call is sent.
--
-- ARGV[3] run id, ARGV[4] thread key, ARGV[5] on_busy (queue, reject, interrupt, rollback),
-- ARGV[6] digest of what is asked for, ARGV[7] input as a checkpoint, ARGV[8] context or '',
-- ARGV[9] run.queued event, ARGV[10] 1 to hold it for a process of its own (no bell),
-- ARGV[11...] pairs of field and value of the run's hash (queue, entrypoint, thread, own_thread,
-- retention, keep, created_at, config, ...).
-- Returns { 'created' } | { 'exists' } | { 'conflict' } | { 'busy', id of the run at work }.
-- Keys: run:<id>, checkpoints:<id>, events:<id>, channel:<id>, thread:<key>, waiting:<key>, and those of settle.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/settle

local id, thread, on_busy = ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HGET', key('run', id), 'digest')
if known then
  return { known == ARGV[6] and 'exists' or 'conflict' }
end

local record = key('thread', thread)
local active = redis.call('HGET', record, 'run')
local status = active and redis.call('HGET', key('run', active), 'status')
local busy = status == 'queued' or status == 'running'
if status == 'queued' and redis.call('HGET', key('run', active), 'queue') == '' then
  busy = false -- left behind by a process that ran it itself and died: new input closes it
end
if busy and on_busy == 'reject' then
  return { 'busy', active }
end

local run = { 'HSET', key('run', id), 'status', 'queued', 'digest', ARGV[6], 'thread_key', thread,
  'created', ms(now), 'updated', ms(now), 'attempt', 1, 'crashes', 0, 'batch', 0 }
for at = 11, #ARGV do
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

if busy then
  redis.call('RPUSH', key('waiting', thread), id)
  if on_busy == 'interrupt' or on_busy == 'rollback' then
    redis.call('HSET', key('run', active), 'cancel', on_busy)
    if status == 'running' then
      redis.call('PUBLISH', CONTROL, active)
    else
      settle_here(active, 'cancelled', on_busy)
    end
  end
  return { 'created' }
end
redis.call('HSET', record, 'run', id)
if status == 'suspended' or status == 'queued' then
  settle_here(active, 'cancelled', 'superseded')
end
ring(id, false)
return { 'created' }
