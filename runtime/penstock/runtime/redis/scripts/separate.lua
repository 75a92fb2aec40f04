-- Makes the keys of a run's own thread. Needs names, clock, history and lone.
--
-- separate(id, thread): from then on the run is on its thread as any run is; tells whether there was anything to make.
-- place_of(id, thread): where a thread is that is about to be changed, the own one of a lone run too; id: the thread's.
-- Keys: those of lone and history; thread:<key>, history:<key>.
-- include: penstock.runtime.redis.scripts/lone

local function separate(id, thread)
  local found = lone(id, thread)
  if not found then
    return false
  end
  redis.call('LTRIM', key('history', thread), 1, 0) -- of a thread that was evicted
  redis.call('RPUSH', key('history', thread), unpack(found.entries))
  redis.call('HDEL', key('run', id), 'lone')
  redis.call('HSET', key('run', id), 'checkpoint', '1', 'step', '-1') -- as is said of a lone run
  local run, length, saved = found.run, found.head, found.values[1] or ''
  redis.call('HSET', key('thread', thread), 'id', id, 'run', id, 'ttl', run.retention or RETENTION, 'head', ms(length),
    'step', ms(length - 2), 'base', saved ~= '' and ms(length) or '', 'saved', saved, 'value', found.values[2] or '')
  if found.children then
    keep_children(id, key('thread', thread), found.children)
  end
  if run.finished then
    rest(thread, math.max(1, run.finished + kept_for(run, run.status) - now)) -- as long as the run
  end
  return true
end

local function place_of(id, thread)
  local at = place(thread)
  if not at.head and separate(id, thread) then
    at = place(thread)
  end
  return at
end
