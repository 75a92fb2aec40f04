-- acquire: claim one named run, for a process that needs no ticket, or whose ticket RQ's own worker has popped.
--
-- ARGV[3] run id, ARGV[4] worker name, ARGV[5] nonce, ARGV[6] lease ms, ARGV[7] '1' if the process performs all
-- steps itself, also those that have a queue of their own, ARGV[8] the process's app, as app_of reads it, '' for
-- one without a ticket.
-- Returns the claimed run, or what keeps it from being claimed: its status ('' if there is no run), that steps of it
-- are under way elsewhere, which the process would perform at the same time, or that the app does not have its code.
-- Then its ticket goes to the end of the queue, once for each other worker of RQ's there, as those that are idle
-- cannot look for it; after that it is parked. Where a live worker has announced the code, the answer is that it may
-- come back: the process asks again after a pause, and the ticket goes to the end of the queue if the run is still
-- parked.
-- Keys: those of claim, parked, reopen and requeued; rq:workers:<queue>, entrypoints.
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

local id, nonce = ARGV[3], ARGV[5]
local app, versions = app_of(ARGV[8])
local run = read(id)
if run.status == 'running' and run.fence and string.match(run.fence, '%.(.*)$') == nonce then
  return claimed(id, run)
end

local function pass_on(name)
  local others = redis.call('SCARD', rq_queue(run.queue, 'workers')) - 1
  if run.parked or redis.call('HINCRBY', key('run', id), 'passed', 1) <= others then
    offer(id, false)
    return 'waiting for a worker that has its code'
  end
  park(id, name)
  local announced = redis.call('ZSCORE', ARGV[1] .. ':entrypoints', string.match(name, '^e:(.*)$') or name)
  return tonumber(announced or 0) > now and 'parked for now' or 'parked'
end

if app ~= '' and run.status ~= 'queued' and requeuing().requeued(id) then
  run = read(id)
end
if app ~= '' and run.status == 'queued' then
  local is_known, name = knows(app, run)
  if not is_known and may_begin(id, run) then
    return pass_on(name)
  end
  redis.call('HDEL', key('run', id), 'passed')
  run.passed = nil
end
for _, by in ipairs(ARGV[7] == '1' and redis.call('HVALS', key('remote', id)) or {}) do
  if is_open(by) then
    return 'waiting for steps on other queues'
  end
end
local is_well, fence = pcall(claim, id, run, nonce, ARGV[4], versions)
note_claims(ARGV[4], tonumber(ARGV[6])) -- first of all the lease, whatever RQ's books are like
if not is_well then
  return fence
end
if fence then
  return claimed(id, run)
end
return run.status or ''
