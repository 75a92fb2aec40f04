-- keep_assistant: make an assistant, give it one more version, choose one of its versions, or delete it.
--
-- ARGV[1] prefix of Penstock's keys, ARGV[2] id, ARGV[3] nonce of the call, ARGV[4] 'new', 'next', 'choose' or 'drop',
-- ARGV[5] of 'next' the version that the caller has read, of 'choose' the one that is wanted, ARGV[6] the text of a
-- version.
-- Returns { word, version that it has now }; the word is OK, TAKEN (there is such an assistant), UNKNOWN (there is none,
-- or no such version) or MOVED (it has another version than the caller has read).
-- Keys: assistant:<id> (hash: latest, last, created, updated, nonce; v:<version>, its time in ms and its text),
-- assistants (zset of ids by when they were made).
local assistant, list = ARGV[1] .. ':assistant:' .. ARGV[2], ARGV[1] .. ':assistants'
local clock = redis.call('TIME')
local NOW = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local found = redis.call('HMGET', assistant, 'latest', 'last', 'nonce')
local latest, wanted = found[1], ARGV[4]

if latest and found[3] == ARGV[3] then
  return { 'OK', latest } -- the same call, sent again
elseif wanted == 'new' and latest then
  return { 'TAKEN', latest }
elseif wanted ~= 'new' and not latest then
  return { 'UNKNOWN', '' }
elseif wanted == 'drop' then
  redis.call('DEL', assistant)
  redis.call('ZREM', list, ARGV[2])
  return { 'OK', '' }
elseif wanted == 'choose' then
  if redis.call('HEXISTS', assistant, 'v:' .. ARGV[5]) == 0 then
    return { 'UNKNOWN', latest }
  end
  redis.call('HSET', assistant, 'latest', ARGV[5], 'updated', NOW, 'nonce', ARGV[3])
  return { 'OK', ARGV[5] }
elseif wanted == 'next' and latest ~= ARGV[5] then
  return { 'MOVED', latest }
end
local version = string.format('%d', (found[2] or 0) + 1)
redis.call('HSET', assistant, 'latest', version, 'last', version, 'v:' .. version, NOW .. ' ' .. ARGV[6], 'updated', NOW,
  'nonce', ARGV[3])
if wanted == 'new' then
  redis.call('HSET', assistant, 'created', NOW)
  redis.call('ZADD', list, NOW, ARGV[2])
end
return { 'OK', version }
