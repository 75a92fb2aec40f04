-- bulk: do the same to many runs, to each only as long as it is as it was read.
--
-- ARGV[3] what: cancel, resume, delete or unpin, ARGV[4...] of each run its id, and as they were read its status and
-- its epoch ('' if it has none).
-- Returns for each run 1 if this was done to it, else 0: somebody has done something to it since, or it cannot be done.
-- What was done makes a run one of those that it cannot be done to, or counts as a new read: so a call that is sent
-- again, by whomever, does nothing to it.
-- Keys: run:<id>, thread:<key>, open:<facet>, those of settle, reopen, forget and ticket.
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
-- include: penstock.runtime.redis.scripts/reopen
-- include: penstock.runtime.redis.scripts/forget

local ACTIONS = {}

function ACTIONS.cancel(id, run)
  return stop(id, run.status, 'cancelled')
end

function ACTIONS.resume(id, run)
  if run.status ~= 'failed' or not is_at(id, run.thread_key, run.lone) then
    return false
  end
  go_on(id, 'failed', run.thread_key, resumed_text(run.thread))
  return true
end

function ACTIONS.unpin(id, run)
  return is_open_status(run.status) and unpin(id, run)
end

function ACTIONS.delete(id, run)
  return forget(id, run.thread_key)
end

local function act(id, status, epoch)
  local run = fields_of(id, 'status', 'epoch', 'thread_key', 'lone', 'thread', 'home', 'parked')
  if run.home or run.status ~= status or (run.epoch or '') ~= epoch then
    return false
  end
  return ACTIONS[ARGV[3]](id, run)
end

redis.call('ZREM', READY, '') -- a write that needs no memory first: so Redis takes the rest when it is full
local done = {}
for at = 4, #ARGV, 3 do
  local is_well, is_done = pcall(act, unpack(ARGV, at, at + 2)) -- one whose keys are corrupt must not stop the others
  done[#done + 1] = is_well and is_done and 1 or 0
end
return done
