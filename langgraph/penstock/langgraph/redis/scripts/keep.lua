-- The time that a thread which no worker executes is kept after its last write.
--
-- keep_all(thread, ttl): keep all keys of a thread, whose hash is `thread`, for a tenth more than so many ms; '' for ever.
-- keep(thread, ttl, space): see to it, after a write to a space, that all keys of its thread are kept for so many ms.
-- All end together. As they are given a tenth more, few writes reach the keys of all spaces, of which there may be many.
-- Keys: graph:<thread>; below it graph:<thread>:<space>, graph:<thread>:<space>:order of each of its spaces.
local function longest(ttl)
  return math.floor(ttl * 1.1)
end

local function keep_all(thread, ttl)
  local function visit(name)
    if ttl == '' then
      redis.call('PERSIST', name)
    else
      redis.call('PEXPIRE', name, string.format('%.0f', longest(ttl)))
    end
  end
  for _, field in ipairs(redis.call('HKEYS', thread)) do
    local space = string.match(field, '^space:(.+)$')
    if space then
      visit(thread .. ':' .. space)
      visit(thread .. ':' .. space .. ':order')
    end
  end
  visit(thread)
end

local function keep(thread, ttl, space)
  local left = redis.call('PTTL', thread)
  if (ttl == '' and left < 0) or redis.call('HEXISTS', thread, 'hosted') == 1 then
    return
  elseif ttl == '' or left < tonumber(ttl) or left > longest(ttl) then
    keep_all(thread, ttl)
  else
    redis.call('PEXPIRE', space, left)
    redis.call('PEXPIRE', space .. ':order', left)
  end
end
