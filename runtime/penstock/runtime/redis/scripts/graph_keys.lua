-- The keys of a graph that workers execute on a thread; other threads have none. Needs names.
--
-- keep_graph(thread, ttl): keep them so many ms, 0 for ever, nil for no longer.
-- Keys: graph:<thread>, graph:<thread>:<space>, graph:<thread>:<space>:order.
local function each_of_graph(thread, visit)
  local graph = key('graph', thread)
  if redis.call('HEXISTS', graph, 'hosted') == 0 then
    return
  end
  for _, field in ipairs(redis.call('HKEYS', graph)) do
    local space = string.match(field, '^space:(.+)$')
    if space then
      visit(graph .. ':' .. space)
      visit(graph .. ':' .. space .. ':order')
    end
  end
  visit(graph)
end

local function keep_graph(thread, ttl)
  each_of_graph(thread, function(name)
    if ttl == 0 then
      redis.call('PERSIST', name)
    else
      redis.call('PEXPIRE', name, string.format('%.0f', ttl or 0)) -- at once as DEL does, which apps have no right to
    end
  end)
end
