-- The checkpoints of a thread, numbered 1, 2, 3 ... as its hash counts them. Needs names and clock.
--
-- Keys: history:<key> (list, the newest last, each some lines of text: first `<number> <source> <step> <parent>
-- <run> <ms> <base>`, then the entrypoint as JSON, the metadata, and what the checkpoint has of its own: what is
-- saved, and the value where that is another; base is the number of the one that has them, '' for none);
-- thread:<key> (head, step and base of the newest; saved, and value where it is another; run; ttl; children, saved:<name>); checkpoints:<id>;
-- those of graph_keys and thread_lists.
-- include: penstock.runtime.redis.scripts/graph_keys as graph_keys(keep_graph, roll_back)
-- include: penstock.runtime.redis.scripts/thread_lists as thread_lists(show_thread, hide_thread)

local HEAD = '^(%d+) (%a+) (%-?%d+) (%d*) ([%w_-]*) (%d+) (%d*)'

-- place(thread): where a thread is: head, step and base, the run that it is at, its own ttl, and its status in the
-- lists of threads if it is in these.
local function place(thread)
  local found = redis.call('HMGET', key('thread', thread), 'head', 'step', 'base', 'run', 'ttl',
    'listed')
  return { head = found[1], step = found[2], base = found[3] or '', run = found[4], ttl = found[5],
    listed = found[6] or nil }
end

-- entry(number, step, parent, told, time, base, values): the text of a checkpoint.
local function entry(number, step, parent, told, time, base, values)
  local saved, value = values and values[1] or '', values and values[2] or ''
  return table.concat({ number, told.source, step, parent, told.run or '', time, base }, ' ')
    .. '\n' .. cjson.encode(told.entrypoint or '') .. '\n' .. (told.metadata or '')
    .. (saved ~= '' and '\n' .. saved or '') .. (value ~= '' and '\n' .. value or '')
end

-- remember(thread, at, told, values): add a checkpoint, which is the thread's head from then on.
-- at: its place. told: source, run, entrypoint, metadata, how many to keep; the parent and its step where that is
-- not the head. values: what is saved, and the value where that is another; empty for none; nil for those of before.
-- Returns the fields of the thread's hash that have changed, in a table for HSET; at is the new place.
local function remember(thread, at, told, values)
  local history = key('history', thread)
  local number = string.format('%d', (at.head or 0) + 1)
  local parent = told.parent or at.head or ''
  local step = string.format('%d', (told.step or at.step or told.first or -2) + 1)
  local record = { 'HSET', key('thread', thread), 'head', number, 'step', step }
  if values then
    local saved, value = values[1] or '', values[2] or ''
    at.base = saved ~= '' and number or ''
    record[7], record[8], record[9], record[10] = 'saved', saved, 'value', value
  end
  record[#record + 1], record[#record + 2] = 'base', at.base
  local length = redis.call('RPUSH', history, entry(number, step, parent, told, NOW, at.base, values))
  if not at.head and length > 1 then
    redis.call('LTRIM', history, -1, -1) -- of a thread that was evicted
  end
  local keep = tonumber(told.keep or 0)
  if keep > 0 and length > keep then
    redis.call('LTRIM', history, -keep, -1)
  end
  at.head, at.step = number, step
  return record
end

-- begin(thread, at, id, run, ...): the run is the one that its thread is at, and its input the thread's head.
-- run: its entrypoint, metadata and history. Pairs of field and value of the thread's hash may follow.
local function begin(thread, at, id, run, ...)
  local is_known = at.head or at.listed
  local record = remember(thread, at,
    { source = 'input', run = id, entrypoint = run.entrypoint, metadata = run.metadata, keep = run.history or HISTORY })
  for _, part in ipairs({ 'run', id, ... }) do
    record[#record + 1] = part
  end
  redis.call(unpack(record))
  if is_known then
    redis.call('PERSIST', key('thread', thread))
    redis.call('PERSIST', key('history', thread))
    graph_keys().keep_graph(thread, 0)
  end
  if at.listed then
    redis.call('HSET', key('run', id), 'listed', '1')
    thread_lists().show_thread(thread, 'busy')
  end
end

-- rest(thread, ttl): nothing is at work on the thread; keep it so many ms, 0 for ever.
local function rest(thread, ttl)
  for _, kind in ipairs({ 'thread', 'history' }) do
    if tonumber(ttl or 0) > 0 then
      redis.call('PEXPIRE', key(kind, thread), ms(ttl))
    else
      redis.call('PERSIST', key(kind, thread))
    end
  end
  graph_keys().keep_graph(thread, tonumber(ttl or 0))
end

-- What nested entrypoints with a state of their own leave on the thread.
local function keep_children(id, record, names)
  redis.call('HSET', record, 'children', names)
  for _, name in ipairs(cjson.decode(names)) do
    local saved = redis.call('HGET', key('checkpoints', id), 'saved^' .. name)
    if saved then
      redis.call('HSET', record, 'saved:' .. name, saved)
    end
  end
end
