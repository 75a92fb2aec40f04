-- Key names, as penstock.runtime.redis.keys has them (a test compares the two).
--
-- ARGV[1] prefix of Penstock's keys, '@' and the number of the database, which the names of channels need, as Redis
-- carries messages across databases; ARGV[2] prefix of RQ's.
local PREFIX, DATABASE = string.match(ARGV[1], '^(.*)@(%d+)$')
ARGV[1] = PREFIX or ARGV[1]
local OF_DATABASE = (DATABASE or '0') ~= '0' and '@' .. DATABASE or ''

-- What sets the queues and the jobs of a prefix apart in RQ's keys, unless it is the default one.
local OF_QUEUES, OF_JOBS = '', ''
if ARGV[1] ~= 'penstock' then
  local world = string.gsub(ARGV[1], '[^%w_-]', function(letter)
    return string.format('-%02X', string.byte(letter))
  end)
  OF_QUEUES, OF_JOBS = '@' .. world, '--' .. world
end

local function key(kind, id)
  return ARGV[1] .. ':' .. kind .. (kind == 'channel' and OF_DATABASE or '') .. ':' .. id
end

local function job_of(id)
  return id .. OF_JOBS
end

-- The run that a job's id stands for; the id itself where it is of another prefix, or an ordinary job.
local function run_of(job)
  local at = #job - #OF_JOBS
  return string.sub(job, at + 1) == OF_JOBS and string.sub(job, 1, at) or job
end

local function rq(kind, id)
  return ARGV[2] .. ':' .. kind .. ':' .. id
end

local function rq_job(id)
  return rq('job', job_of(id))
end

-- kind: queue, or one of RQ's registries of a queue: wip, finished, failed.
local function rq_queue(queue, kind)
  return rq(kind or 'queue', queue .. OF_QUEUES)
end

local function popped(queue)
  return rq_queue(queue) .. ':intermediate'
end

-- The hash of a run as a table.
local function read(id)
  local all, run = redis.call('HGETALL', key('run', id)), {}
  for at = 1, #all, 2 do
    run[all[at]] = all[at + 1]
  end
  return run
end

-- Some fields of a run's hash by name, without those that it does not have.
local function fields_of(id, ...)
  local run, names = {}, { ... }
  for at, value in ipairs(redis.call('HMGET', key('run', id), ...)) do
    run[names[at]] = value or nil
  end
  return run
end

-- The channel that a worker listens to as long as it lives.
local function presence(worker)
  return ARGV[1] .. ':presence' .. OF_DATABASE .. ':' .. worker
end

-- What a run keeps of its thread, and for how many ms it is kept, or kept if it failed, where it does not say so
-- (run_record has the same).
local HISTORY, RETENTION, RETENTION_FAILED = 1000, 86400000, 2592000000

-- For how many ms a run is kept that has ended in a status; run: retention and retention_failed, as its hash has them.
local function kept_for(run, status)
  if status == 'failed' then
    return tonumber(run.retention_failed or RETENTION_FAILED)
  end
  return tonumber(run.retention or RETENTION)
end

local LEASES = ARGV[1] .. ':leases'
local READY = ARGV[1] .. ':ready'
local TIMERS = ARGV[1] .. ':timers'
local SUSPENDED = ARGV[1] .. ':open:suspended'
local CONTROL = ARGV[1] .. ':control' .. OF_DATABASE

-- Tells the worker of a run at work that there is an answer, or an outcome, for one of its branches.
local function tell_news(id)
  redis.call('PUBLISH', CONTROL, 'news ' .. id)
end
