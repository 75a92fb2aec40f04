-- record: what an attempt has done and said. ARGV as in commit. Returns OK or FENCED.
--
-- Keys: those of commit.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/remote
-- include: penstock.publisher/append
-- include: penstock.runtime.redis.scripts/emit
-- include: penstock.runtime.redis.scripts/commit

local at, answer = commit()
return answer or 'OK'
