-- recover: give runs back whose lease is over, queue those again whose ticket was lost, wake those whose
-- time has come.
--
-- ARGV[3] how many of each at most, ARGV[4] deaths without a recorded step between them after which a run
-- is given up (or four times as many with steps between): deaths of processes in which it was alone, or isolated,
-- ARGV[5] ms after which a queued run's ticket is looked for, ARGV[6] name of a worker that has died,
-- ARGV[7] how, ARGV[8] '' where that is certain, else what it has noted of its presence, which is compared with what
-- is there now, ARGV[9] '1' to name workers that do not listen, ARGV[10...] ids of the runs that the dead worker may
-- have had, whose leases end now.
-- Returns { recovered ids, given up ids, ids requeued, ids whose keys cannot be used,
-- ids whose timer was due, names of workers that do not listen }.
-- Where several runs were at work in a process that died, none is known to have killed it: each becomes a suspect,
-- after so many deaths but one, and is isolated (take). Where the lease of a run ends by itself, or its worker does not
-- listen, its process counts as dead until it tells that it lives (forgo).
-- Whatever was read from an index is checked again on the run itself before it is changed.
-- Keys: leases, ready, timers, questions:<id>, checkpoints:<id>, events:<id>, run:<id>, remote:<id>, thread:<key>,
-- waiting:<key>, parked:<queue>, parked:<queue>:<name> and those of settle and causes; rq:queue:<name> is searched for
-- the ticket, and loses it in rq:queue:<name>:intermediate; rq:worker:<name>:executions says what was beside a run;
-- those of presence.
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
-- include: penstock.runtime.redis.scripts/presence
-- include: penstock.runtime.redis.scripts/causes as causes(count_cause)

local limit, most, patience = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local recovered, given_up, requeued, corrupt, woken = {}, {}, {}, {}, {}

-- Names the step that was begun last, from the run's newest events.
local function last_step(id)
  local remote = redis.call('HGET', key('run', id), 'home_step')
  if remote then
    return '; it performed step ' .. remote
  end
  local events = redis.call('LRANGE', key('events', id), -50, -1)
  for at = #events, 1, -1 do
    local step = string.match(events[at], '^%d+ {"mode":"step.started","data":{"id":"([^"]*)"')
    if step then
      return '; its last step was ' .. step
    end
  end
  return '; it had begun no step'
end

-- Returns when the newest of those began that were at work beside a run: 0 for ordinary jobs, -1 if there were none.
-- They are told of the newest of all, as their leases may end later, when they are the last that are left.
local function company_of(id, worker, fence, began)
  local newest, runs, own = -1, {}, job_of(id) .. ':' .. fence
  for _, execution in ipairs(redis.call('SMEMBERS', rq('worker', worker) .. ':executions')) do
    if execution ~= own then
      local beside = key('run', run_of(string.match(execution, '^[^:]*')))
      local other = redis.call('HMGET', beside, 'worker', 'updated')
      newest = math.max(newest, other[1] == worker and tonumber(other[2]) or 0)
      runs[#runs + 1] = other[1] == worker and beside or nil
    end
  end
  for _, beside in ipairs(runs) do
    redis.call('HSET', beside, 'company', ms(math.max(newest, began)))
  end
  return newest
end

-- Tells whether a run was by itself in its process: nothing else was at work there, or where it was isolated, nothing
-- that began after it did.
local function was_alone(id, queue, worker, fence)
  if queue == '' or worker == '' then
    return true
  end
  local run = fields_of(id, 'isolated', 'company', 'updated')
  local began = tonumber(run.updated)
  local newest = tonumber(run.company or company_of(id, worker, fence, began))
  if run.isolated then
    return newest <= began
  end
  return newest < 0
end

-- Counts a death: crashes and deaths are those of processes that had it, since it last got on and in all; alone and
-- lonely those in which it was by itself. Tells whether it is given up.
local function count_death(id, run, reason, is_certain)
  local by_itself = was_alone(id, run.queue, run.worker or '', run.fence)
  redis.call('HINCRBY', key('run', id), 'crashes', 1)
  local deaths = redis.call('HINCRBY', key('run', id), 'deaths', 1)
  local number = ms(deaths + (redis.call('HGET', key('run', id), 'pardoned') or 0))
  redis.call('HSET', key('run', id), 'death:' .. number, reason)
  if not is_certain then
    redis.call('HSET', key('run', id), 'lapse:' .. run.fence, (by_itself and '1 ' or '0 ') .. number)
  end
  if not by_itself then
    return false
  end
  local alone = redis.call('HINCRBY', key('run', id), 'alone', 1)
  return redis.call('HINCRBY', key('run', id), 'lonely', 1) >= 4 * most or alone >= most
end

local function count_poison(id, reason)
  local run = fields_of(id, 'entrypoint', 'retention_failed', 'home', 'op')
  causes().count_cause(id, run, reason, 'poison:' .. run.entrypoint, '', 'PoisonRunError', '')
end

local function expire(id, reason, dead)
  local run = fields_of(id, 'status', 'queue', 'worker', 'fence', 'cancel', 'thread_key', 'forgone', 'attempt')
  if dead and run.worker ~= dead then
    return
  end
  redis.call('ZREM', LEASES, id)
  if run.status ~= 'running' then
    return
  end
  if run.cancel then
    settle_here(id, 'cancelled', run.cancel)
    return
  end
  if run.queue == '' and redis.call('LLEN', key('waiting', run.thread_key)) > 0 then
    settle_here(id, 'cancelled', 'superseded') -- no worker is to go on with it, and others wait for it
    return
  end
  if run.forgone ~= run.fence and count_death(id, run, reason, dead and ARGV[8] == '') then
    local told = 'PoisonRunError: ' .. redis.call('HGET', key('run', id), 'lonely')
      .. ' workers died of it, the last: ' .. reason .. last_step(id)
    count_poison(id, told)
    settle_here(id, 'failed', told)
    given_up[#given_up + 1] = id
    return
  end
  redis.call('HSET', key('run', id), 'attempt', (run.attempt or 1) + 1)
  redis.call('HDEL', key('run', id), 'worker')
  show_ended(id, run.queue, run.worker or '', run.fence, 'queued', 0)
  status_to(id, 'running', 'queued')
  offer(id, true)
  recovered[#recovered + 1] = id
end

-- The run that a thread was at is gone, with the thread's record or without: the next is at it, else this one.
local function free(thread, id)
  if redis.call('EXISTS', key('waiting', thread)) == 1 then
    return start_next(thread)
  end
  redis.call('HSET', key('thread', thread), 'id', redis.call('HGET', key('run', id), 'thread') or id, 'run', id)
  offer(id, true)
  requeued[#requeued + 1] = id
end

-- has_ticket(queue, id): whether a run's ticket is on its queue. A long queue is not searched for each of its
-- runs, which takes seconds: one further back than FRONT counts as there, except for the first that is asked for.
local FRONT = 5000
local fronts = {}

local function has_ticket(queue, id)
  local list = rq_queue(queue)
  local front = fronts[list]
  if not front then
    front = { is_whole = redis.call('LLEN', list) <= FRONT, tickets = {} }
    for _, ticket in ipairs(redis.call('LRANGE', list, 0, FRONT - 1)) do
      front.tickets[ticket] = true
    end
    fronts[list] = front
  end
  local ticket = job_of(id)
  if front.tickets[ticket] or front.is_whole or front.is_searched then
    return front.tickets[ticket] or not front.is_whole
  end
  front.is_searched = true
  return redis.call('LPOS', list, ticket)
end

-- Tells whether a run is where it waits for a worker with its code, or for the one that keeps it back to begin it.
local function is_aside(id, queue)
  local run = fields_of(id, 'parked', 'reserved')
  if run.parked and redis.call('ZSCORE', key('parked', queue .. ':' .. run.parked), id) then
    redis.call('SADD', key('parked', queue), run.parked)
    return true
  end
  return tonumber(run.reserved or 0) > now
end

local function look_for_ticket(id)
  local run = fields_of(id, 'status', 'queue', 'thread_key', 'home', 'lone')
  local thread = run.thread_key
  local first = (run.home or run.lone) and id or thread and redis.call('HGET', key('thread', thread), 'run')
  if run.status ~= 'queued' then
    redis.call('ZREM', READY, id)
  elseif first ~= id then
    redis.call('ZADD', READY, 'XX', NOW, id)
    if not (first and is_open(first)) then
      free(thread, id)
    end
  elseif run.queue ~= '' and not is_aside(id, run.queue) and not has_ticket(run.queue, id) then
    redis.call('LREM', popped(run.queue), 0, job_of(id)) -- where a worker that died had it
    offer(id, true)
    requeued[#requeued + 1] = id
  else
    redis.call('ZADD', READY, 'XX', NOW, id)
  end
end

-- A question whose time is over takes no answer any more: what the run does without one is its own affair.
local function fire(id)
  redis.call('ZREM', TIMERS, id)
  local run = fields_of(id, 'status', 'thread_key', 'listed')
  if run.status ~= 'suspended' then
    return
  end
  for _, name in ipairs(redis.call('HKEYS', key('questions', id))) do
    local due = redis.call('HGET', key('checkpoints', id), ':' .. name)
    if due and tonumber(due) <= now then
      redis.call('HDEL', key('questions', id), name, name .. '/schema')
    end
  end
  status_to(id, 'suspended', 'queued')
  offer(id, true)
  if run.listed then
    thread_lists().show_thread(run.thread_key, 'busy')
  end
  woken[#woken + 1] = id
end

-- An index that somebody has deleted is built anew, of a few runs at each look, drawn at random from all that are open,
-- and from one of the other indexes in turn: an open run has its place in two or more. Its worker, if it lives, has the
-- time to renew its lease before it counts as over. A run that is over, or whose hash is gone, loses its place there.
-- What is listed under a facet of one of the runs that were drawn loses its place, too, where its hash is gone: nothing
-- else tells under which facets a run was whose hash is gone.
local SAMPLE, RENEWAL = 10, 10000
local drawn = {}

local function clean_facet()
  if #drawn > 0 then
    local listed = key('open', drawn[math.floor(now / 1000) % #drawn + 1])
    for _, id in ipairs(redis.call('ZRANDMEMBER', listed, SAMPLE)) do
      if redis.call('EXISTS', key('run', id)) == 0 then
        redis.call('ZREM', listed, id)
      end
    end
  end
end

local function list_once_more(id, run)
  list_open(id, run)
  for _, facet in ipairs(facets_of(run)) do
    drawn[#drawn + 1] = facet
  end
  if run.status == 'suspended' then
    redis.call('ZADD', SUSPENDED, run.created, id)
  end
end

local function place_again(id, index)
  local run = fields_of(id, 'status', 'queue', 'wakes', 'home', 'op', 'entrypoint', 'facets', 'created')
  if not PLACES[run.status or ''] then
    redis.call('ZREM', index, id)
    unlist_open(id, run)
    return
  end
  if not run.home and not run.op then
    list_once_more(id, run)
  end
  local due = ms(now + RENEWAL)
  if run.status == 'suspended' then
    due = run.queue ~= '' and run.wakes or ''
  end
  if due ~= '' then
    redis.call('ZADD', PLACES[run.status], 'NX', due, id)
  end
  for _, step in ipairs(redis.call('HRANDFIELD', key('remote', id), SAMPLE) or {}) do
    place_again(redis.call('HGET', key('remote', id), step), index)
  end
end

-- One run whose keys are corrupt must not keep the others from being recovered.
local function attend(list, act, id, ...)
  if not pcall(act, id, ...) then
    redis.call('ZREM', list, id)
    corrupt[#corrupt + 1] = id
  end
end

redis.call('ZREM', READY, '') -- a write that needs no memory first: so Redis takes the rest when it is full
if ARGV[8] == '' or has_gone(ARGV[6], ARGV[8]) then
  for at = 10, #ARGV do
    attend(LEASES, expire, ARGV[at], ARGV[7], ARGV[6])
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', NOW, 'LIMIT', 0, limit)) do
  attend(LEASES, expire, id, 'its worker stopped renewing the lease')
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', READY, '-inf', ms(now - patience), 'LIMIT', 0, limit)) do
  attend(READY, look_for_ticket, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', TIMERS, '-inf', NOW, 'LIMIT', 0, limit)) do
  attend(TIMERS, fire, id)
end
local INDEXES = { READY, LEASES, TIMERS, SUSPENDED }
for _, index in ipairs({ key('open', 'all'), INDEXES[math.floor(now / 1000) % #INDEXES + 1] }) do
  for _, id in ipairs(redis.call('ZRANDMEMBER', index, SAMPLE)) do
    pcall(place_again, id, index) -- of keys that are corrupt, others tell
  end
end
pcall(clean_facet)
return { recovered, given_up, requeued, corrupt, woken, ARGV[9] == '1' and silent_workers() or {} }
