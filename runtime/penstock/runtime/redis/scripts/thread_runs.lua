-- thread_runs: look through a list of runs that are over for those of one thread, a part of it a call.
--
-- ARGV[3] thread key, ARGV[4] name of the list, ARGV[5] index of its first entry that is looked at.
-- Returns { index to go on from, '' at the end; ids of runs }.
-- Keys: over:<name>:<facet>, run:<id>.
-- include: penstock.runtime.redis.scripts/names

local PART = 500
local entries = redis.call('LRANGE', key('over', ARGV[4] .. ':all'), ARGV[5], ARGV[5] + PART - 1)
local ids = {}
for _, entry in ipairs(entries) do
  local id = string.sub(entry, 7)
  if redis.call('HGET', key('run', id), 'thread_key') == ARGV[3] then
    ids[#ids + 1] = id
  end
end
return { #entries == PART and string.format('%d', ARGV[5] + PART) or '', ids }
