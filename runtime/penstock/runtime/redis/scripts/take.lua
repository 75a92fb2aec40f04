-- take: pop tickets off queues and claim their runs, in one step, so that no ticket is lost between.
--
-- ARGV[3] worker name, ARGV[4] nonce, ARGV[5] lease ms, ARGV[6] how many runs at most, ARGV[7] how many runs and jobs
-- the worker has at work, ARGV[8] deaths after which a run is given up, ARGV[9] the worker's app, as app_of reads it (''
-- for one that has everything), ARGV[10] ticket popped already, which may be in the list of those popped but not begun ('' if
-- none), ARGV[11] its queue's name, ARGV[12] mode: '' or 'alone' (the ticket popped is of a suspect, which the worker
-- takes with what it has at work) or 'parked' (only what is parked is taken), ARGV[13...] names of all queues, by
-- priority.
-- Returns { claimed runs, { queue, id } of an ordinary RQ job or nothing, ids whose keys cannot be used, { queue,
-- ticket } of a suspect kept back or nothing, '1' where nobody knows the worker's app any more: it is to announce it,
-- and nothing more was taken; how many runs were parked }.
-- A suspect is a run that was at work in processes that died, so often that it is to show by itself whether it kills
-- them. It is isolated: a worker that has nothing at work takes it, and nothing else while it has it. A worker that has
-- some keeps it back, takes nothing more meanwhile, and takes it as soon as it has none or has waited for a while.
-- A run whose code the app does not have is parked; of those parked, a worker takes what it has the code of, before
-- it pops tickets. A ticket whose run is over is dropped, or lets it go on (requeued). Popping ends at the first ordinary
-- RQ job, which is left in RQ's list of those popped but not begun (rq:queue:<name>:intermediate), as RQ's own pop
-- leaves it.
-- Sent twice (same nonce), it gives the runs claimed the first time that are still leased to it, the job popped and the
-- suspect kept back: taken:<worker> remembers them. What it parked is counted the first time only.
-- Keys: those of claim, parked, reopen and requeued; taken:<worker>; rq:suspended,
-- rq:queue:<name>:intermediate.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/ticket
-- include: penstock.runtime.redis.scripts/feed as feed(emit_change)
-- include: penstock.runtime.redis.scripts/parked
-- include: penstock.runtime.redis.scripts/requeued as requeuing(requeued)
-- include: penstock.runtime.redis.scripts/claim

local worker, nonce, lease, room = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local busy, limit, mode = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[12]
local app, versions = app_of(ARGV[9])
local KEPT_BACK = 15000 -- ms that a worker may keep a suspect back
local memory = key('taken', worker)
local runs, job, names, corrupt, kept, unannounced, aside, refused = {}, {}, {}, {}, {}, '', 0

local before = redis.call('GET', memory)
if before and string.sub(before, 1, #nonce + 1) == nonce .. '\n' then
  local given = cjson.decode(string.sub(before, #nonce + 2))
  for _, id in ipairs(given[3]) do
    local run = read(id)
    if run.status == 'running' and string.match(run.fence, '%.(.*)$') == nonce then
      runs[#runs + 1] = claimed(id, run)
    end
  end
  return { runs, given[1], corrupt, given[2], unannounced, 0 }
end

-- Each of these tells whether to go on with the next ticket.
local function keep_back(id, ticket, queue)
  redis.call('HSET', key('run', id), 'reserved', ms(now + KEPT_BACK))
  kept = { queue, ticket }
  return false
end

local function begin_run(id, run, is_suspect, for_good)
  if not claim(id, run, nonce, worker, versions) then
    return true
  end
  if is_suspect then
    run.isolated = for_good and 'always' or '1'
    redis.call('HSET', key('run', id), 'isolated', run.isolated)
  end
  runs[#runs + 1] = claimed(id, run)
  names[#names + 1] = id
  return not is_suspect
end

local function begin_queued(id, ticket, queue, run)
  local for_good = tonumber(run.deaths or 0) >= 2 * limit
  local is_suspect = for_good or tonumber(run.crashes or 0) >= math.max(1, limit - 1)
  if is_suspect and not (mode == 'alone' and ticket == ARGV[10]) then
    if tonumber(run.reserved or 0) > now then
      return true -- another worker keeps it back
    end
    if busy > 0 or #runs > 0 then
      return keep_back(id, ticket, queue)
    end
  end
  return begin_run(id, run, is_suspect, for_good)
end

local function open_run(id, run, ticket, queue)
  if run.status ~= 'queued' then
    if not requeuing().requeued(id) then
      return true
    end
    run = read(id)
  end
  local is_known, name = knows(app, run)
  if is_known or not may_begin(id, run) then
    return begin_queued(id, ticket, queue, run)
  end
  if is_known == nil then
    unannounced, refused = '1', { queue, ticket }
    return false
  end
  park(id, name)
  aside = aside + 1
  return true
end

local function open(ticket, queue)
  local id = run_of(ticket)
  local run = read(id)
  if next(run) then
    return open_run(id, run, ticket, queue)
  end
  local data = redis.call('HGET', rq('job', ticket), 'data')
  if data and data ~= BELL and string.match(ticket, '^[%w_-]+$') then
    redis.call('RPUSH', popped(queue), ticket)
    job = { queue, ticket }
    return false
  end
  return true
end

-- One run whose keys are corrupt must not keep others from being taken.
local function attend(ticket, queue)
  local is_well, goes_on = pcall(open, ticket, queue)
  if not is_well then
    corrupt[#corrupt + 1] = run_of(ticket)
    return true
  end
  return goes_on
end

local function take_parked(queue)
  for _, name in ipairs(redis.call('SINTER', key('parked', queue), key('app', app))) do
    local list = key('parked', queue .. ':' .. name)
    while #runs < room do
      local id = redis.call('ZPOPMIN', list)[1]
      if not id then
        redis.call('SREM', key('parked', queue), name)
        break
      end
      if not attend(job_of(id), queue) then
        return false
      end
    end
  end
  return true
end

local function take_from(queue)
  if not take_parked(queue) then
    return false
  end
  while mode ~= 'parked' and #runs < room do
    local wanted = math.min(room - #runs, 1000)
    local tickets = redis.call('LRANGE', rq_queue(queue), 0, wanted - 1)
    local popped_now, goes_on = 0, true
    while goes_on and popped_now < #tickets do
      popped_now = popped_now + 1
      goes_on = attend(tickets[popped_now], queue)
    end
    if popped_now > 0 then
      redis.call('LPOP', rq_queue(queue), popped_now)
    end
    if not goes_on or #tickets < wanted then
      return goes_on
    end
  end
  return true
end

local function take()
  local ticket, queue = ARGV[10], ARGV[11]
  if ticket ~= '' then
    redis.call('LREM', popped(queue), 1, ticket)
  end
  if redis.call('EXISTS', ARGV[2] .. ':suspended') == 1 then
    if ticket ~= '' then
      redis.call('LPUSH', rq_queue(queue), ticket)
    end
    return
  end
  if ticket ~= '' and not attend(ticket, queue) then
    return
  end
  for at = 13, #ARGV do
    if not take_from(ARGV[at]) then
      return
    end
  end
end

take()
if refused then
  redis.call('LPUSH', rq_queue(refused[1]), refused[2])
end
note_claims(worker, lease)
if #names > 0 or job[1] or kept[1] or ARGV[10] ~= '' then
  redis.call('SET', memory, nonce .. '\n' .. cjson.encode({ job, kept, names }), 'PX', lease)
elseif before then
  redis.call('DEL', memory)
end
return { runs, job, corrupt, kept, unannounced, aside }
