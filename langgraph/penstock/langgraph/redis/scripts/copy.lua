-- copy: give a thread all that another one has, or take its name for a copy that is made piece by piece.
--
-- ARGV[1] id of the copy, ARGV[2] nonce, ARGV[3] 1 to copy the spaces, 0 to name them only, ARGV[4] ms for which the copy
-- is kept ('' for ever, as one that is yet to be made); that of a thread which workers execute is kept for ever until they say otherwise.
-- Returns OK, or TAKEN where the copy's name has a state already.
-- Keys: KEYS[1] graph:<thread> of the thread, KEYS[2] graph:<thread> of the copy; below both graph:<thread>:<space>,
-- graph:<thread>:<space>:order of each space; those of keep.
-- include: penstock.langgraph.redis.scripts/keep

if redis.call('EXISTS', KEYS[2]) == 1 then
  return redis.call('HGET', KEYS[2], 'copied') == ARGV[2] and 'OK' or 'TAKEN'
end
local hosted = redis.call('HGET', KEYS[1], 'hosted')
if hosted then
  redis.call('HSET', KEYS[2], 'hosted', hosted)
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  local space = string.match(field, '^space:(.+)$')
  if space then
    redis.call('HSET', KEYS[2], 'id', ARGV[1], 'copied', ARGV[2], field, redis.call('HGET', KEYS[1], field))
    for _, ending in ipairs({ '', ':order' }) do
      if ARGV[3] == '1' then
        redis.call('COPY', KEYS[1] .. ':' .. space .. ending, KEYS[2] .. ':' .. space .. ending, 'REPLACE')
      end
    end
  end
end
keep_all(KEYS[2], hosted and '' or ARGV[4]) -- COPY copies the time of a key, too
return 'OK'
