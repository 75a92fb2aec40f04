-- The lists of runs that are over. Needs names, clock and facets.
--
-- list_ended(id, run, status): it is over; run: created, entrypoint, queue, facets, and what list_names needs to know of
-- an end before it.
-- Runs that are over stand in lists that only grow, one for each hour of their end, status, and hour in which the last
-- of them is gone: each entry is the ms within the hour, as 6 hex digits, and the run's id. The run's hash says whether
-- an entry still holds: it was 'finished' at that time.
-- Keys: open:<facet>, over:<name>:<facet> (list); those of list_names.
local HOUR = 3600000

-- The name of the list of a run that ended then; and the hour in which the last of its runs is gone.
local function list_of(run, status, finished)
  local last = math.ceil((finished + kept_for(run, status)) / HOUR)
  return string.format('%d:%s:%d', math.floor(finished / HOUR), status, last), last
end

-- include: penstock.runtime.redis.scripts/list_names as list_names(begin_list, unlist_ended)

local function list_ended(id, run, status)
  if run.finished then
    list_names().unlist_ended(run)
  end
  if status ~= 'failed' then
    run.cause = nil
  end
  local name, last = list_of(run, status, now)
  local item = string.format('%06x', now % HOUR) .. id
  for _, facet in ipairs(facets_of(run)) do
    redis.call('ZREM', key('open', facet), id)
    if redis.call('RPUSH', key('over', name .. ':' .. facet), item) == 1 then
      list_names().begin_list(facet, name, last)
    end
  end
end
