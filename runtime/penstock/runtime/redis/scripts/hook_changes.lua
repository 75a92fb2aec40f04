-- hook_changes: read the oldest changes that no deliveries are made of yet, one worker at a time.
--
-- ARGV[3] who reads, ARGV[4] ms for which nobody else does, ARGV[5] the change behind which to read ('' for the first),
-- ARGV[6] how many, 0 to let others read, ARGV[7] how many changes this reader has left on its way from the first one,
-- ARGV[8] ms for which a change is left to others, ARGV[9] ms after which it no longer counts that one was left.
-- Returns a time in ms, and the changes, none where another worker reads. What cannot be read and was written until then
-- was left for long enough: a worker, too, read changes all that time, and something was left each time.
-- It only saves work: hook_route makes the deliveries of a change once, whoever has read it.
-- Keys: hooks (stream), hooks:reader (string: who reads), hooks:unread (string: since when something is left).
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock

local HOOKS = ARGV[1] .. ':hooks'
local READER = ARGV[1] .. ':hooks:reader'
local UNREAD = ARGV[1] .. ':hooks:unread'
local reader = redis.call('GET', READER)
if reader and reader ~= ARGV[3] then
  return { '0', {} }
end
local found = {}
if ARGV[6] ~= '0' then
  found = redis.call('XRANGE', HOOKS, ARGV[5] == '' and '-' or '(' .. ARGV[5], '+', 'COUNT', ARGV[6])
end
local since = redis.call('GET', UNREAD)
if #found > 0 then
  redis.call('SET', READER, ARGV[3], 'PX', ARGV[4])
else
  if reader then
    redis.call('DEL', READER)
  end
  if ARGV[7] ~= '0' then
    redis.call('SET', UNREAD, since or NOW, 'PX', ARGV[9])
  elseif since then
    redis.call('DEL', UNREAD)
  end
end
local long_ago = now - tonumber(ARGV[8])
return { since and tonumber(since) <= long_ago and ms(long_ago) or '0', found }
