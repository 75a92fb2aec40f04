-- thread_runs: look through an index for runs of one thread, a part of it a call.
--
-- ARGV[3] thread key, ARGV[4] status, ARGV[5] cursor of ZSCAN. Returns { next cursor, ids of runs }.
-- Keys: runs:<status>, run:<id>.
-- include: penstock.runtime.redis.scripts/names

local page = redis.call('ZSCAN', ARGV[1] .. ':runs:' .. ARGV[4], ARGV[5], 'COUNT', 500)
local ids = {}
for at = 1, #page[2], 2 do
  if redis.call('HGET', key('run', page[2][at]), 'thread_key') == ARGV[3] then
    ids[#ids + 1] = page[2][at]
  end
end
return { page[1], ids }
