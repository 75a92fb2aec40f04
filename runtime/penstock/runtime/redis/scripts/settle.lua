-- Ends a run, and lets the next run of its thread begin. Needs names, remote, clock, ticket, append, emit, facets, feed
-- and history.
--
-- Its remote steps end with it. The run of a remote step has no thread: it lets the run go on that waits for it.
-- Keys: run:<id>, checkpoints:<id>, questions:<id>, legs:<id>, events:<id> get the retention as TTL; channel:<id>;
-- thread:<key> (hash: id, run, children, saved:<name>, and what history says), waiting:<key> (list of run ids);
-- those of delay, history, ended_lists, feed, remote_end and ticket; leases, ready and timers lose the run.
local PLACES = { queued = READY, running = LEASES, suspended = TIMERS }

-- Takes an open run out of the index that its status has.
local function drop(id, status)
  if PLACES[status] then
    redis.call('ZREM', PLACES[status], id)
  end
end

-- include: penstock.runtime.redis.scripts/delay as delaying(offer_when_due)

local function start_next(thread)
  local following = redis.call('LPOP', key('waiting', thread))
  if following then
    local at = place(thread)
    local run = fields_of(following, 'entrypoint', 'metadata', 'history', 'created', 'wakes')
    begin(thread, at, following, run)
    redis.call('HSET', key('run', following), 'checkpoint', at.head, 'step', at.step)
    if run.wakes then
      delaying().offer_when_due(following, run)
    else
      offer(following, false)
    end
  end
end

local settle

-- include: penstock.runtime.redis.scripts/ended_lists
-- include: penstock.runtime.redis.scripts/remote_end as remote_end(come_home, call_off, give_up)

local STATUS_LEFT = { completed = 'idle', failed = 'error' }

-- The thread of a run that ends keeps what the run has saved, and the next run that waits for it begins.
-- seldom
local function leave_thread(id, run, status, reason, by)
  local thread = run.thread_key
  local at = place(thread)
  if status == 'completed' then
    local ended = redis.call('HMGET', key('checkpoints', id), 'saved', 'value', 'children')
    if ended[1] then
      local told = by
        or { source = 'loop', entrypoint = run.entrypoint, metadata = run.metadata, keep = run.history or HISTORY }
      told.run = id
      redis.call(unpack(remember(thread, at, told, { ended[1], ended[2] or '' })))
    end
    if ended[3] then
      keep_children(id, key('thread', thread), ended[3])
    end
  end
  if at.run == id then
    local ttl = tonumber(at.ttl or run.thread_retention or 0)
    if ttl > 0 and status == 'failed' and not run.thread then
      ttl = math.max(ttl, kept_for(run, status)) -- its own thread, which it needs to go on
    end
    if ttl > 0 then
      rest(thread, ttl)
    end
    if at.listed then
      local left = STATUS_LEFT[status] or reason == 'rollback' and 'idle'
      thread_lists().show_thread(thread, left or 'interrupted')
    end
    start_next(thread)
  else
    redis.call('LREM', key('waiting', thread), 0, id)
  end
end

-- The run is in no index of open runs any more.
-- by: what is told of the checkpoint of a run that completes, if the run does not do so itself. Pairs of field and
-- value that change with the end may follow.
local function settle_as(id, run, status, reason, by, ...)
  local before, retention = run.status, ms(kept_for(run, status))
  local is_at_work = before == 'running'
  if run.parked then
    unpark(id, run.queue, run.parked)
  end
  status_to(id, before, status, 'reason', reason, 'finished', NOW, ...)
  if not run.home and not run.op then
    list_ended(id, run, status)
  end
  if run.reserved then
    redis.call('HDEL', key('run', id), 'reserved')
  end
  show_ended(id, run.queue, is_at_work and run.worker or '', run.fence or '', RQ_STATUS[status],
    status == 'failed' and tonumber(retention) or math.min(tonumber(retention), ENDED))
  redis.call('PEXPIRE', key('run', id), retention)
  if run.home then
    return remote_end().come_home(id, run, status, reason)
  end
  if run.feed or run.hooks then
    feed().emit_change(id, run, 'run.finished', status, run)
  end
  if run.sends then
    remote_end().call_off(id)
  end
  if run.graph and reason == 'rollback' then
    graph_keys().roll_back(run.thread_key, id)
  end
  redis.call('PEXPIRE', key('checkpoints', id), retention)
  redis.call('PEXPIRE', key('events', id), retention)
  if run.asks then -- or it has asked nothing
    redis.call('PEXPIRE', key('questions', id), is_at_work and 0 or retention) -- which asks nothing any more
  end
  if run.legs then
    redis.call('PEXPIRE', key('legs', id), retention)
  end
  if not run.lone then
    leave_thread(id, run, status, reason, by)
  elseif run.graph then -- nobody has asked for its thread, which has the state of its graph alone
    graph_keys().keep_graph(run.thread_key, tonumber(retention))
  end
end

function settle(id, status, reason, by)
  local run = read(id)
  drop(id, run.status)
  return settle_as(id, run, status, reason, by)
end

-- The terminal event of a run that no attempt ends by itself; thread is JSON text, '' if the run's own.
-- seldom
local function settle_here(id, status, reason)
  redis.call('ZREM', READY, id) -- a write that needs no memory first: so Redis takes the rest when it is full
  if redis.call('HEXISTS', key('run', id), 'home') == 1 then
    return settle(id, status, reason)
  end
  local run = fields_of(id, 'entrypoint', 'thread', 'keep', 'attempt')
  local data = cjson.encode({ name = run.entrypoint, status = status, reason = reason })
  local thread = ''
  if run.thread then
    thread = ',"thread":' .. cjson.encode(run.thread)
  end
  if run.attempt then
    thread = thread .. ',"attempt":' .. run.attempt
  end
  local text = '{"mode":"run.finished","data":' .. data .. thread
    .. ',"time":' .. string.format('%.3f', now / 1000) .. '}'
  emit(id, tonumber(run.keep or 0), { text, '' })
  settle(id, status, reason)
end

-- Ends an open run, at once if it is not running, else as soon as its worker hears of it; tells whether that is new.
local function stop(id, status, reason)
  if status == 'running' then
    redis.call('ZREM', READY, id) -- a write that needs no memory first: so Redis takes the rest when it is full
    local is_new = redis.call('HSETNX', key('run', id), 'cancel', reason) == 1
    redis.call('PUBLISH', CONTROL, id)
    return is_new
  elseif is_open_status(status) then
    settle_here(id, 'cancelled', reason)
    return true
  end
  return false
end
