-- Ends a run, and lets the next run of its thread begin. Needs names, remote, clock, bell, append and history.
--
-- Its remote steps end with it. The run of a remote step has no thread: it lets the run go on that waits for it.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, events:<id> get the retention as TTL; channel:<id>;
-- thread:<key> (hash: id, run, children, saved:<name>, and what history says), waiting:<key> (list of run ids);
-- those of history, remote and bell; runs:<status>; leases, ready and timers lose the run; channel control.
local PLACES = { queued = READY, running = LEASES, suspended = TIMERS }

-- Takes an open run out of the index that its status has.
local function drop(id, status)
  if PLACES[status] then
    redis.call('ZREM', PLACES[status], id)
  end
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

local CROWD = 32 -- remote steps at work from which on those that end wake their caller together

-- Where a step was begun and has no value, its arguments stay: whoever performs it again has to look at what is
-- recorded below it, and to take back what it has said.
local function forget_arguments(id, home, step, reason)
  if (redis.call('HGET', key('remote', home), step) or id) ~= id then
    return
  end
  if reason == '' or redis.call('HEXISTS', key('run', id), 'fence') == 0 then
    redis.call('HDEL', key('checkpoints', home), '>' .. step)
  end
end

-- The run of a remote step is over: its caller may go on. In a crowd recovery wakes it, about once a second, as it
-- is replayed from its first line each time.
local function come_home(id, home, step, caller, status, reason)
  if redis.call('HGET', key('remote', home), step) ~= id then
    return
  end
  if status == 'completed' then
    redis.call('HDEL', key('remote', home), step)
  else
    redis.call('HSET', key('remote', home), step, '!' .. status .. ' ' .. reason)
  end
  local waits = redis.call('HGET', key('run', caller), 'status')
  if waits == 'running' then
    tell_news(caller)
  end
  if waits ~= 'suspended' then
    return
  end
  if redis.call('HLEN', key('remote', home)) >= CROWD then
    redis.call('ZADD', TIMERS, ms(now), caller)
    return
  end
  redis.call('ZREM', TIMERS, caller)
  status_to(caller, 'suspended', 'queued', redis.call('HGET', key('run', caller), 'home'))
  ring(caller, true)
end

-- Takes runs that are gone out of an index, of a few drawn at random: as each end looks at so many, what is gone
-- never comes to more than half of what is there, though some runs are kept for longer than others.
local function tidy(index)
  local ids, keys = redis.call('ZRANDMEMBER', index, 3), {}
  for at, id in ipairs(ids) do
    keys[at] = key('run', id)
  end
  if #ids == 0 or redis.call('EXISTS', unpack(keys)) == #ids then
    return
  end
  for at, id in ipairs(ids) do
    if redis.call('EXISTS', keys[at]) == 0 then
      redis.call('ZREM', index, id)
    end
  end
end

local settle

-- One remote step that is not waited for any more.
local function give_up(home, step, by)
  redis.call('HDEL', key('remote', home), step)
  local status = redis.call('HGET', key('run', by), 'status')
  if status == 'running' then
    redis.call('HSETNX', key('run', by), 'cancel', 'its caller has given it up')
    redis.call('PUBLISH', CONTROL, by)
  elseif is_open_status(status) then
    settle(by, 'cancelled', 'its caller has given it up')
  end
end

-- The remote steps of a run that is over are not waited for any more.
local function call_off(home)
  local remote = redis.call('HVALS', key('remote', home))
  if #remote == 0 then
    return
  end
  redis.call('PEXPIRE', key('remote', home), 0) -- as DEL does, which apps have no right to
  for _, id in ipairs(remote) do
    local status = redis.call('HGET', key('run', id), 'status')
    if status == 'running' then
      redis.call('HSETNX', key('run', id), 'cancel', 'its run is over')
      redis.call('PUBLISH', CONTROL, id)
    elseif is_open_status(status) then
      settle(id, 'cancelled', 'its run is over')
    end
  end
end

-- by: what is told of the checkpoint of a run that completes, if the run does not do so itself.
function settle(id, status, reason, by)
  local run = redis.call('HMGET', key('run', id), 'status', 'queue', 'worker', 'fence', 'thread_key',
    'retention', 'thread_retention', 'entrypoint', 'metadata', 'history', 'home', 'home_step', 'caller', 'sends', 'parked',
    'lone')
  local before, thread, retention = run[1], run[5], tonumber(run[6])
  drop(id, before)
  unpark(id, run[2], run[15])
  status_to(id, before, status, run[11], 'reason', reason, 'finished', ms(now))
  tidy(ARGV[1] .. ':runs:' .. status)
  redis.call('HDEL', key('run', id), 'worker', 'reserved')
  show_ended(id, run[2], before == 'running' and run[3] or '', run[4] or '', RQ_STATUS[status],
    status == 'failed' and retention or math.min(retention, ENDED))
  if run[11] then
    redis.call('PEXPIRE', key('run', id), ms(retention))
    forget_arguments(id, run[11], run[12], reason)
    return come_home(id, run[11], run[12], run[13], status, reason)
  end
  if run[14] then
    call_off(id)
  end
  for _, kind in ipairs({ 'run', 'checkpoints', 'events' }) do
    redis.call('PEXPIRE', key(kind, id), ms(retention))
  end
  redis.call('PEXPIRE', key('questions', id), before == 'running' and 0 or ms(retention)) -- which asks nothing any more
  if run[16] then
    keep_graph(thread, retention)
    return -- nobody has asked for its thread
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
  redis.call('ZREM', READY, id) -- a write that needs no memory first: so Redis takes the rest when it is full
  if redis.call('HEXISTS', key('run', id), 'home') == 1 then
    return settle(id, status, reason)
  end
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
