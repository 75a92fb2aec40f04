-- A run that was over is open again. Needs names and clock.
--
-- list_again(id, run): run: as its hash said before that: status, finished, retention, entrypoint, queue, facets, created.
-- Keys: those of facets.
-- include: penstock.runtime.redis.scripts/facets

local function list_again(id, run)
  list_names().unlist_ended(run)
  list_open(id, run)
end
