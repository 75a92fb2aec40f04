-- of_runs: find the points of a space that runs have made.
--
-- ARGV[1...] ids of runs.
-- Returns the ids of the points.
-- Keys: KEYS[2] graph:<thread>:<space>, KEYS[3] graph:<thread>:<space>:order; KEYS[1] is not reached.
-- include: penstock.langgraph.redis.scripts/reading

local runs, found = {}, {}
for _, run in ipairs(ARGV) do
  runs[run] = true
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  local record = redis.call('HGET', KEYS[2], 'p ' .. id)
  if record and runs[head_of(record).run] then
    found[#found + 1] = id
  end
end
return found
