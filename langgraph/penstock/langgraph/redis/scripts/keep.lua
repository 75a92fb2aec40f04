-- The time that a thread which no worker executes is kept after its last write.
--
-- keep(thread, ttl): keep all keys of a thread, whose hash is `thread`, so many ms more; '' for ever.
-- Keys: graph:<thread>; below it graph:<thread>:<space>, graph:<thread>:<space>:order of each of its spaces.
local function keep(thread, ttl)
  if ttl == '' or redis.call('HEXISTS', thread, 'hosted') == 1 then
    return
  end
  for _, field in ipairs(redis.call('HKEYS', thread)) do
    local space = string.match(field, '^space:(.+)$')
    if space then
      redis.call('PEXPIRE', thread .. ':' .. space, ttl)
      redis.call('PEXPIRE', thread .. ':' .. space .. ':order', ttl)
    end
  end
  redis.call('PEXPIRE', thread, ttl)
end
