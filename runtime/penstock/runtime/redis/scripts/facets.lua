-- The lists by which runs are found. Needs names and clock.
--
-- A run is listed under each of its facets: 'all', 'entrypoint:<name>', and those that its hash names in 'facets',
-- apart by blanks: 'queue' (then its facet is 'queue:<name>'), 'tag:<digest>'. The run of a remote step is not listed.
-- list_open(id, run): it is open; run: created, entrypoint, queue, facets.
-- list_ended(id, run, status): it is over; run: those, and retention; what says of an end before, if there was one.
-- unlist_ended(run): it is over no more, or its keys are deleted; run: status, finished, and those of list_ended.
-- Runs that are over stand in lists that only grow, one for each hour of their end, status, and hour in which the last
-- of them is gone: each entry is the ms within the hour, as 6 hex digits, and the run's id. The run's hash says whether
-- an entry still holds: it was 'finished' at that time. A list's score counts the entries that do not.
-- Keys: open:<facet> (zset of ids by when they were created), over:<facet> (zset of the names of its lists),
-- over:<name>:<facet> (list).
local HOUR = 3600000

local function facets_of(run)
  local all = { 'all', 'entrypoint:' .. (run.entrypoint or '') }
  for facet in string.gmatch(run.facets or '', '%S+') do
    all[#all + 1] = facet == 'queue' and 'queue:' .. run.queue or facet
  end
  return all
end

local function list_open(id, run)
  for _, facet in ipairs(facets_of(run)) do
    redis.call('ZADD', key('open', facet), run.created, id)
  end
end

-- The name of the list of a run that ended then; and the hour in which the last of its runs is gone.
local function list_of(status, finished, retention)
  local last = math.ceil((finished + (retention or RETENTION)) / HOUR)
  return string.format('%d:%s:%d', math.floor(finished / HOUR), status, last), last
end

local function unlist_ended(run)
  local name = list_of(run.status, run.finished, run.retention)
  for _, facet in ipairs(facets_of(run)) do
    if redis.call('ZSCORE', key('over', facet), name) then
      redis.call('ZINCRBY', key('over', facet), 1, name)
    end
  end
end

-- Names a new list, and forgets the names of those whose time is over.
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

local function list_ended(id, run, status)
  if run.finished then
    unlist_ended(run)
  end
  local name, last = list_of(status, now, run.retention)
  local entry = string.format('%06x', now % HOUR) .. id
  for _, facet in ipairs(facets_of(run)) do
    redis.call('ZREM', key('open', facet), id)
    if redis.call('RPUSH', key('over', name .. ':' .. facet), entry) == 1 then
      begin_list(facet, name, last)
    end
  end
end

-- A run that is over goes on: run, as its hash says before that.
local function list_again(id, run)
  unlist_ended(run)
  list_open(id, run)
end
