-- Whether a worker listens to its channel, which the kernel ends with its process. Needs names.
--
-- Keys: rq:workers, rq:worker:<name> (penstock_presence: what it has noted of its listening), presence:<name>.
local function listens(worker)
  local heard = redis.pcall('PUBSUB', 'NUMSUB', presence(worker))
  return heard.err or heard[2] ~= 0 -- without the right to ask, each counts as there
end

-- Tells whether a worker that has noted its presence so has gone.
local function has_gone(worker, noted)
  return redis.call('HGET', rq('worker', worker), 'penstock_presence') == noted and not listens(worker)
end

-- Names the workers that RQ lists and that do not listen: some have died, some are no workers of these runs.
local function silent_workers()
  local silent, start = {}, #rq('worker', '') + 1
  local listed = redis.call('SMEMBERS', ARGV[2] .. ':workers')
  for first = 1, #listed, 1000 do
    local channels = {}
    for at = first, math.min(first + 999, #listed) do
      channels[#channels + 1] = presence(string.sub(listed[at], start))
    end
    local heard = redis.pcall('PUBSUB', 'NUMSUB', unpack(channels))
    for at = 2, #heard, 2 do
      if heard[at] == 0 then
        silent[#silent + 1] = string.sub(listed[first + at / 2 - 1], start)
      end
    end
  end
  return silent
end
