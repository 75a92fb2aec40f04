-- own: make the keys of a run's own thread, for what is about to change it.
--
-- ARGV[3] thread key, ARGV[4] thread id, which is the run's. Returns 1 if there was anything to make, else 0.
-- Keys: those of separate.
-- include: penstock.runtime.redis.scripts/names
-- include: penstock.runtime.redis.scripts/clock
-- include: penstock.runtime.redis.scripts/history
-- include: penstock.runtime.redis.scripts/separate

return separate(ARGV[4], ARGV[3]) and 1 or 0
