"""Fills a Redis with runs that are over: copies of one that scripts wrote, listed as these do."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.filling import Filling
from penstock.runtime import Client
from penstock.runtime.redis.facets import ALL, entrypoint_facet

__all__ = ["add_ended_runs"]

HOUR: Final = 3_600_000
HOURS: Final = 20
"""Hours in which the runs ended, evenly."""

AT_ONCE: Final = 5_000


def add_ended_runs(redis: Any, client: Client, count: int) -> None:
    """Add runs as `ended_lists.lua` lists them: their hashes, and their entries in two lists.

    They have no events and no steps, which no search reads.
    """
    filling, keys = Filling(client, redis), client.plans.keys
    (run_id,) = filling.queue(1)
    filling.finish([run_id])
    run = {name.decode(): text.decode() for name, text in redis.hgetall(keys.run(run_id)).items()}
    facets = (ALL, entrypoint_facet(run["entrypoint"]))
    kept = round(client.settings.retention * 1000)
    for hour, some in _parts(int(run["finished"]) // HOUR, count):
        moment = HOUR // 2
        finished = hour * HOUR + moment
        name = f"{hour}:completed:{-(-(finished + kept) // HOUR)}"
        ids = [uuid.uuid4().hex for _ in range(some)]
        with redis.pipeline(transaction=False) as pipeline:
            for each in ids:
                pipeline.copy(keys.run(run_id), keys.run(each))
                pipeline.hset(keys.run(each), "finished", finished)
            for facet in facets:
                pipeline.rpush(keys.over(f"{name}:{facet}"), *(f"{moment:06x}{i}" for i in ids))
                pipeline.zadd(keys.over(facet), {name: 0})
            pipeline.execute()


def _parts(now: int, count: int) -> Iterator[tuple[int, int]]:
    """Divide runs into hours, the oldest first, and these into what is written at once."""
    for ago in range(HOURS, 0, -1):
        left = count // HOURS
        while left > 0:
            yield now - ago, min(AT_ONCE, left)
            left -= AT_ONCE
