"""How fast one follower reads the changes of all runs."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any, Final

from benchmarks.harness import AT_LEAST, Bar, Bench, Row, Sample
from benchmarks.processes import connected
from penstock.runtime import Client
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings

ENTRIES: Final = 2
"""Of a run that is queued and ends."""


def follower(bench: Bench) -> list[Row]:
    """Let a follower read a feed that is full, a page at a time."""
    runs = bench.scale.events
    settings = Settings(redis=bench.url, feed=100_000)
    with Client(bench.url, settings=settings) as client, connected(bench.url) as redis:
        _fill(redis, runs)
        speeds = [runs / _seconds(client, ENTRIES * runs) for _ in range(bench.scale.long_rounds)]
        redis.delete(Keys().feed)
    return [
        Row(
            "runs whose changes one follower reads",
            "runs/s",
            Sample(tuple(speeds)),
            bars=[Bar(AT_LEAST, 2000)],
            note="two changes a run, in pages of 500.",
        )
    ]


def _fill(redis: Any, runs: int) -> None:
    """Add the entries of runs, as `feed.lua` writes them."""
    others = {"seq": 1, "entrypoint": "steps", "thread": "", "cause": "", "tags": ""}
    with redis.pipeline(transaction=False) as pipeline:
        for number in range(runs):
            for event, status in (("run.queued", "queued"), ("run.finished", "completed")):
                of_run = {"event": event, "run": f"{number:032x}", "status": status}
                pipeline.xadd(Keys().feed, of_run | others)
        pipeline.execute()


def _seconds(client: Client, count: int) -> float:
    began = time.perf_counter()
    read = sum(1 for _ in islice(client.follow(after="0"), count))
    assert read == count
    return time.perf_counter() - began
