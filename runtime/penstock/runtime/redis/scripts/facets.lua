-- The lists by which runs are found. Needs names and clock.
--
-- A run is listed under each of its facets: 'all', 'entrypoint:<name>', and those that its hash names in 'facets',
-- apart by blanks: 'queue' (then its facet is 'queue:<name>'), 'tag:<digest>'; one that failed, under
-- 'cause:<digest>'. The run of a remote step is not listed.
-- list_open(id, run): it is open; run: created, entrypoint, queue, facets. unlist_open(id, run): it is not.
-- Keys: open:<facet> (zset of ids by when they were created).
local function facets_of(run)
  local all = { 'all', 'entrypoint:' .. (run.entrypoint or '') }
  if run.facets then
    for facet in string.gmatch(run.facets, '%S+') do
      all[#all + 1] = facet == 'queue' and 'queue:' .. run.queue or facet
    end
  end
  if run.cause then
    all[#all + 1] = 'cause:' .. run.cause
  end
  return all
end

local function list_open(id, run)
  for _, facet in ipairs(facets_of(run)) do
    redis.call('ZADD', key('open', facet), run.created, id)
  end
end

local function unlist_open(id, run)
  for _, facet in ipairs(facets_of(run)) do
    redis.call('ZREM', key('open', facet), id)
  end
end
