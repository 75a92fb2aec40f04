-- The keys of a graph that workers execute on a thread; other threads have none. Needs names.
--
-- keep_graph(thread, ttl): keep them so many ms, 0 for ever, nil for no longer.
-- roll_back(thread, run): forget the points that a run has made, which are the newest, and the update that it was given
-- and that is stored with the point before. Values that no other point needs go with the next pruning.
-- Keys: graph:<thread>, graph:<thread>:<space>, graph:<thread>:<space>:order, checkpoints:<run>.
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

-- Forget the writes of a point, but for those of some tasks.
local function forget_writes(space, id, tasks)
  local names, rest = redis.call('HGET', space, 't ' .. id) or '', ''
  for name in string.gmatch(names, '[^\n]+') do
    if tasks[string.match(name, '^%S+')] then
      rest = rest .. name .. '\n'
    else
      redis.call('HDEL', space, 'w ' .. id .. ' ' .. name)
    end
  end
  redis.call('HDEL', space, 'a ' .. id)
  redis.call(unpack(rest == '' and { 'HDEL', space, 't ' .. id } or { 'HSET', space, 't ' .. id, rest }))
end

local function forget_points(space, run)
  while true do
    local id = redis.call('ZREVRANGE', space .. ':order', 0, 0)[1]
    local record = id and redis.call('HGET', space, 'p ' .. id)
    if not record or cjson.decode(string.match(record, '^[^\n]*')).run ~= run then
      return
    end
    forget_writes(space, id, {})
    redis.call('HDEL', space, 'p ' .. id, 's ' .. id)
    redis.call('ZREM', space .. ':order', id)
  end
end

-- Forget what came of an update: its writes, and those of the tasks that it has added to those of its point.
local function forget_update(space, id)
  local told = redis.call('HGET', space, 's ' .. id)
  local tasks = {}
  for _, task in ipairs(told and cjson.decode(told).tasks or {}) do
    tasks[task[1]] = true
  end
  forget_writes(space, id, tasks)
end

local function roll_back(thread, run)
  local updated = redis.call('HGET', key('checkpoints', run), 'null')
  each_of_graph(thread, function(name)
    if string.sub(name, -6) == ':order' then
      local space = string.sub(name, 1, -7)
      forget_points(space, run)
      if updated then
        forget_update(space, updated)
      end
    end
  end)
end
