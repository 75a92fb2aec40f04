-- hook_changes: read the oldest changes that no deliveries are made of yet, one worker at a time.
--
-- ARGV[3] who reads, ARGV[4] ms for which nobody else does, ARGV[5] the change behind which to read ('' for the first),
-- ARGV[6] how many, 0 to let others read.
-- Returns the changes, none where another worker reads. It only saves work: hook_route makes the deliveries of a change
-- once, whoever has read it.
-- Keys: hooks (stream), hooks:reader (string: who reads).
-- include: penstock.runtime.redis.scripts/names

local HOOKS = ARGV[1] .. ':hooks'
local READER = ARGV[1] .. ':hooks:reader'
local reader = redis.call('GET', READER)
if reader and reader ~= ARGV[3] then
  return {}
end
local found = {}
if ARGV[6] ~= '0' then
  found = redis.call('XRANGE', HOOKS, ARGV[5] == '' and '-' or '(' .. ARGV[5], '+', 'COUNT', ARGV[6])
end
if #found > 0 then
  redis.call('SET', READER, ARGV[3], 'PX', ARGV[4])
elseif reader then
  redis.call('DEL', READER)
end
return found
