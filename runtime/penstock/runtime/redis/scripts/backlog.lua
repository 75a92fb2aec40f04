-- backlog: what the workers of some queues have to do.
--
-- ARGV[3...] names of queues.
-- Returns for each { tickets, runs that are executed, ms since the run of the first ticket was queued, -1 for none }.
-- Keys: rq:queue:<queue>, leases, run:<id>.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local running, found = {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', '+inf')) do
  local queue = redis.call('HGET', key('run', id), 'queue') or ''
  running[queue] = (running[queue] or 0) + 1
end

local function waits(queue)
  local ticket = redis.call('LINDEX', rq_queue(queue), 0)
  local run = ticket and redis.call('HMGET', key('run', run_of(ticket)), 'updated', 'created') or {}
  local since = run[1] or run[2]
  return since and math.max(0, now - since) or -1
end

for at = 3, #ARGV do
  local queue = ARGV[at]
  found[#found + 1] = { redis.call('LLEN', rq_queue(queue)), running[queue] or 0, waits(queue) }
end
return found
