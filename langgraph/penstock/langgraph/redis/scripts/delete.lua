-- delete: forget a thread of a graph, with all its spaces.
--
-- Keys: KEYS[1] graph:<thread>; below it graph:<thread>:<space>, graph:<thread>:<space>:order of each of its spaces.
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local space = string.match(field, '^space:(.+)$')
  if space then
    -- As DEL does, which apps have no right to.
    redis.call('PEXPIRE', KEYS[1] .. ':' .. space, 0)
    redis.call('PEXPIRE', KEYS[1] .. ':' .. space .. ':order', 0)
  end
end
redis.call('PEXPIRE', KEYS[1], 0)
return 'OK'
