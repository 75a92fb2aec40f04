-- The names of the lists of runs that are over, a part of the chunk ended_lists. Needs names, clock and facets.
--
-- begin_list(facet, name, last): names a new list, and forgets the names of those whose time is over.
-- unlist_ended(run): it is over no more, or its keys are deleted; run: status,
-- finished, retention, retention_failed, entrypoint, queue, facets, cause.
-- Keys: over:<facet> (zset of the names of its lists; the score counts the entries that hold no more),
-- over:<name>:<facet>.
local function begin_list(facet, name, last)
  local names, longest = key('over', facet), last
  for _, each in ipairs(redis.call('ZRANGE', names, 0, -1)) do
    local hour = tonumber(string.match(each, '%d+$'))
    if hour * HOUR <= now then
      redis.call('ZREM', names, each)
    end
    longest = math.max(longest, hour)
  end
  redis.call('ZADD', names, 0, name)
  redis.call('PEXPIRE', names, ms(longest * HOUR - now))
  redis.call('PEXPIRE', key('over', name .. ':' .. facet), ms(last * HOUR - now))
end

local function unlist_ended(run)
  local name = list_of(run, run.status, run.finished)
  for _, facet in ipairs(facets_of(run)) do
    if redis.call('ZSCORE', key('over', facet), name) then
      redis.call('ZINCRBY', key('over', facet), 1, name)
    end
  end
end
