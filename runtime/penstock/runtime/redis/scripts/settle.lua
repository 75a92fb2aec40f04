-- Ends a run, and lets the next run of its thread begin. Needs names, clock, bell, append and history.
--
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, events:<id> get the retention as TTL; channel:<id>;
-- thread:<key> (hash: id, run, children, saved:<name>, and what history says), waiting:<key> (list of run ids);
-- those of history; leases, ready and timers lose the run.
local function drop(id)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', READY, id)
  redis.call('ZREM', TIMERS, id)
end

local function start_next(thread)
  local following = redis.call('LPOP', key('waiting', thread))
  if following then
    local at = place(thread)
    local run = redis.call('HMGET', key('run', following), 'entrypoint', 'metadata', 'history')
    begin(thread, at, following, { entrypoint = run[1], metadata = run[2], history = run[3] })
    redis.call('HSET', key('run', following), 'checkpoint', at.head, 'step', at.step)
    ring(following, false)
  end
end

-- What nested entrypoints with a state of their own leave on the thread.
local function keep_children(id, record, names)
  redis.call('HSET', record, 'children', names)
  for _, name in ipairs(cjson.decode(names)) do
    local saved = redis.call('HGET', key('checkpoints', id), 'saved^' .. name)
    if saved then
      redis.call('HSET', record, 'saved:' .. name, saved)
    end
  end
end

-- Takes runs that are gone out of an index: some of the oldest, or, as those may be kept for longer, some others.
local function tidy(index, oldest)
  local from = 0
  for _ = 1, 2 do
    local gone = false
    local found = redis.call('ZREVRANGE', index, -from - 10, -from - 1, 'WITHSCORES')
    for at = 1, #found, 2 do
      if tonumber(found[at + 1]) <= oldest and redis.call('EXISTS', key('run', found[at])) == 0 then
        redis.call('ZREM', index, found[at])
        gone = true
      end
    end
    if gone then
      return
    end
    from = now % 2 ^ (math.floor(now / 7) % 20)
  end
end

local RQ_STATUS = { completed = 'finished', failed = 'failed', cancelled = 'canceled' }

-- by: what is told of the checkpoint of a run that completes, if the run does not do so itself.
local function settle(id, status, reason, by)
  local run = redis.call('HMGET', key('run', id), 'status', 'queue', 'worker', 'fence', 'thread_key',
    'retention', 'thread_retention', 'entrypoint', 'metadata', 'history')
  local before, thread, retention = run[1], run[5], tonumber(run[6])
  drop(id)
  status_to(id, before, status)
  tidy(ARGV[1] .. ':runs:' .. status, now - retention)
  redis.call('HSET', key('run', id), 'reason', reason, 'finished', ms(now))
  redis.call('HDEL', key('run', id), 'worker')
  show_ended(id, run[2], before == 'running' and run[3] or '', run[4] or '', RQ_STATUS[status], retention)
  for _, kind in ipairs({ 'run', 'checkpoints', 'questions', 'events' }) do
    redis.call('PEXPIRE', key(kind, id), ms(retention))
  end
  local at = place(thread)
  if status == 'completed' then
    local ended = redis.call('HMGET', key('checkpoints', id), 'saved', 'value', 'children')
    if ended[1] then
      local told = by or { source = 'loop', entrypoint = run[8], metadata = run[9], keep = run[10] }
      told.run = id
      redis.call(unpack(remember(thread, at, told, { ended[1], ended[2] or '' })))
    end
    if ended[3] then
      keep_children(id, key('thread', thread), ended[3])
    end
  end
  if at.run == id then
    local ttl = tonumber(at.ttl or run[7] or 0)
    if ttl > 0 then
      rest(thread, ttl)
    end
    start_next(thread)
  else
    redis.call('LREM', key('waiting', thread), 0, id)
  end
end

-- The terminal event of a run that no attempt ends by itself; thread is JSON text, '' if the run's own.
local function settle_here(id, status, reason)
  drop(id) -- a write that needs no memory first: so Redis takes the rest when it is full
  local told = redis.call('HMGET', key('run', id), 'entrypoint', 'thread', 'own_thread', 'keep', 'attempt')
  local data = cjson.encode({ name = told[1], status = status, reason = reason })
  local thread = ''
  if told[3] ~= '1' then
    thread = ',"thread":' .. cjson.encode(told[2])
  end
  if told[5] ~= '1' then
    thread = thread .. ',"attempt":' .. told[5]
  end
  local text = '{"mode":"run.finished","data":' .. data .. thread
    .. ',"time":' .. string.format('%.3f', now / 1000) .. '}'
  append_texts(key('events', id), key('channel', id), tonumber(told[4] or 0), { text, '' })
  settle(id, status, reason)
end
