-- A run that was over is open again. Needs names and clock.
--
-- list_again(id, run): run: as its hash said before that: created, and what list_names needs.
-- Keys: those of facets and ended_lists.
-- include: penstock.runtime.redis.scripts/facets
-- include: penstock.runtime.redis.scripts/ended_lists

local function list_again(id, run)
  list_names().unlist_ended(run)
  run.cause = nil
  list_open(id, run)
end
