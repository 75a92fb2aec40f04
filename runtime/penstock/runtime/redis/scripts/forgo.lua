-- forgo: tell that the owner of leases lives and has given them up, as after Redis or its own machine stood still: the
-- end of such a lease is no death.
--
-- ARGV[3...] pairs of run id and fence.
-- Where the lease has ended already, the death that was counted for it is taken back, while the run is not over; else
-- none will be (recover).
-- Keys: run:<id>.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote

local function less(id, field)
  if tonumber(redis.call('HGET', key('run', id), field) or 0) > 0 then
    redis.call('HINCRBY', key('run', id), field, -1)
  end
end

local function take_back(id, fence)
  local lapse = 'lapse:' .. fence
  local run = redis.call('HMGET', key('run', id), 'fence', 'status', lapse, 'deaths')
  if run[1] == fence and run[2] == 'running' then
    redis.call('HSET', key('run', id), 'forgone', fence)
  elseif run[3] and is_open(id) then
    redis.call('HDEL', key('run', id), lapse, 'death:' .. (run[4] or ''))
    for _, field in ipairs(run[3] == '1' and { 'crashes', 'deaths', 'alone', 'lonely' } or { 'crashes', 'deaths' }) do
      less(id, field)
    end
  end
end

for at = 3, #ARGV, 2 do
  take_back(ARGV[at], ARGV[at + 1])
end
return redis.status_reply('OK')
