-- take: pop tickets off queues and claim their runs, in one step, so that no ticket is lost between.
--
-- ARGV[3] worker name, ARGV[4] nonce, ARGV[5] lease ms, ARGV[6] how many runs at most, ARGV[7] how many
-- suspects the worker has, ARGV[8] crashes after which a run is given up, ARGV[9] id popped already, which
-- may be in the list of those popped but not begun ('' if none), ARGV[10] its queue's name, ARGV[11...] names of all queues, by priority.
-- Returns { claimed runs, { queue, id } of an ordinary RQ job or nothing, ids whose keys cannot be used }.
-- A suspect is a run that is given up if its worker dies once more: a worker has one at a time, so that a
-- deadly run does not take others with it. A further one's ticket is dropped; recovery rings for it again.
-- A ticket whose run is not queued is dropped. Popping ends at the first ordinary RQ job, which is left
-- in RQ's list of those popped but not begun (rq:queue:<name>:intermediate), as RQ's own pop leaves it.
-- Sent twice (same nonce), it gives the runs claimed and the job popped the first time: taken:<worker> remembers
-- them.
-- Keys: those of claim; taken:<worker>; rq:suspended.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/bell
-- include: penstock.runtime.redis.scripts/claim

local worker, nonce, lease, room = ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local suspects, limit = tonumber(ARGV[7]), tonumber(ARGV[8])
local memory = key('taken', worker)
local runs, job, names, spoilt = {}, {}, {}, {}

local before = redis.call('LRANGE', memory, 0, -1)
if before[1] == nonce then
  if before[3] ~= '' then
    job = { before[2], before[3] }
  end
  for at = 4, #before do
    local fence = redis.call('HGET', key('run', before[at]), 'fence')
    if fence and string.match(fence, '%.(.*)$') == nonce then
      runs[#runs + 1] = claimed(before[at], fence)
    end
  end
  return { runs, job, spoilt }
end

local BELL = '["penstock.worker.job.perform"' -- of a run that is gone

local function open(id, queue)
  if redis.call('TYPE', key('run', id)).ok == 'hash' then
    local suspect = tonumber(redis.call('HGET', key('run', id), 'crashes') or 0) >= limit - 1
    if suspect and suspects > 0 then
      return true
    end
    local fence = claim(id, nonce, worker, lease)
    if fence then
      runs[#runs + 1] = claimed(id, fence)
      names[#names + 1] = id
      suspects = suspects + (suspect and 1 or 0)
    end
    return true
  end
  local data = redis.call('HGET', rq('job', id), 'data')
  if data and string.sub(data, 1, #BELL) ~= BELL and string.match(id, '^[%w_-]+$') then
    redis.call('RPUSH', popped(queue), id)
    job = { queue, id }
    return false
  end
  return true
end

-- One run whose keys are spoilt must not keep others from being taken.
local function attend(id, queue)
  local is_well, goes_on = pcall(open, id, queue)
  if not is_well then
    spoilt[#spoilt + 1] = id
    return true
  end
  return goes_on
end

local function take()
  if ARGV[9] ~= '' then
    redis.call('LREM', popped(ARGV[10]), 1, ARGV[9])
  end
  if redis.call('EXISTS', ARGV[2] .. ':suspended') == 1 then
    if ARGV[9] ~= '' then
      redis.call('LPUSH', rq('queue', ARGV[10]), ARGV[9])
    end
    return
  end
  if ARGV[9] ~= '' and not attend(ARGV[9], ARGV[10]) then
    return
  end
  for at = 11, #ARGV do
    while #runs < room do
      local id = redis.call('LPOP', rq('queue', ARGV[at]))
      if not id then
        break
      end
      if not attend(id, ARGV[at]) then
        return
      end
    end
  end
end

take()
redis.call('DEL', memory)
if #names > 0 or job[1] or ARGV[9] ~= '' then
  redis.call('RPUSH', memory, nonce, job[1] or '', job[2] or '', unpack(names))
  redis.call('PEXPIRE', memory, lease)
end
return { runs, job, spoilt }
