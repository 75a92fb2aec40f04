-- forgo: tell that the owner of leases lives and has given them up, as after Redis or its own machine stood still: the
-- end of such a lease is no death.
--
-- ARGV[3...] pairs of run id and fence.
-- Where the lease has ended already, the death that was counted for it is taken back, while the run is not over; else
-- none will be (recover). Deaths have numbers without gaps, 'death:<number>' says why; those after it move up by one.
-- A death is taken back where it still counts: after a step was recorded crashes and alone do not have it any more
-- ('got_on' is the number of the last death before that), after the run was reopened only pardoned has it.
-- Keys: run:<id>.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote

-- Numbers the deaths after one that was none, and the lapses that know their numbers, anew.
local function move_up(record, lapse, number, last)
  for each = number, last - 1 do
    redis.call('HSET', record, 'death:' .. each, redis.call('HGET', record, 'death:' .. each + 1) or '')
  end
  redis.call('HDEL', record, lapse, 'death:' .. last)
  for _, field in ipairs(redis.call('HKEYS', record)) do
    local by_itself, other = string.match(string.sub(field, 1, 6) == 'lapse:' and redis.call('HGET', record, field) or '',
      '^(%d) (%d+)$')
    if other and tonumber(other) > number then
      redis.call('HSET', record, field, by_itself .. ' ' .. other - 1)
    end
  end
end

-- Returns the counters that have a death of this number.
local function counters_of(number, by_itself, pardoned, got_on)
  if number <= pardoned then
    return number <= got_on and { 'pardoned', 'got_on' } or { 'pardoned' }
  end
  local counters = by_itself and { 'deaths', 'lonely' } or { 'deaths' }
  if number <= got_on then
    counters[#counters + 1] = 'got_on'
    return counters
  end
  counters[#counters + 1] = 'crashes'
  counters[#counters + 1] = by_itself and 'alone' or nil
  return counters
end

local function take_back(id, fence)
  local record, lapse = key('run', id), 'lapse:' .. fence
  local run = fields_of(id, 'fence', 'status', lapse, 'deaths', 'pardoned', 'got_on')
  if run.fence == fence and run.status == 'running' then
    redis.call('HSET', record, 'forgone', fence)
  elseif run[lapse] and is_open_status(run.status) then
    local pardoned = tonumber(run.pardoned or 0)
    local last = (run.deaths or 0) + pardoned
    local by_itself, found = string.match(run[lapse], '^(%d) (%d+)$')
    local number = tonumber(found)
    for _, field in ipairs(counters_of(number, by_itself == '1', pardoned, tonumber(run.got_on or 0))) do
      redis.call('HINCRBY', record, field, -1)
    end
    move_up(record, lapse, number, last)
  end
end

for at = 3, #ARGV, 2 do
  pcall(take_back, ARGV[at], ARGV[at + 1]) -- a run whose keys are corrupt must not keep the others from it
end
return redis.status_reply('OK')
