from __future__ import annotations

import redis

from penstock.runtime import Client
from penstock.runtime.settings import Settings
from tests.faults.support.fixtures import fleet, raw, server
from tests.faults.support.workers import Fleet

__all__ = ["fleet", "raw", "server"]


def enqueue_as_before(raw: redis.Redis, run_id: str) -> None:
    """Write what tells a run of before 0.1: its events are in a stream."""
    raw.hset(f"penstock:run:{run_id}", mapping={"status": "queued", "entrypoint": "quick"})
    raw.zadd("penstock:runs:queued", {run_id: 1.0})
    raw.xadd(f"penstock:events:{run_id}", {"text": '{"mode":"run.queued"}'})


def test_a_worker_that_finds_runs_of_before_says_so_and_ends(
    fleet: Fleet, raw: redis.Redis
) -> None:
    enqueue_as_before(raw, "old")

    worker = fleet.start(ready=False)

    assert worker.wait(20) != 0
    assert "run 'old' is queued and was enqueued by a version before 0.1" in worker.text()
    assert raw.hget("penstock:run:old", "status") == b"queued"
    raw.flushall()  # no worker of today cleans up after it


def test_under_another_prefix_it_starts_beside_them(fleet: Fleet, raw: redis.Redis) -> None:
    enqueue_as_before(raw, "old")

    fleet.start(environ={"PENSTOCK_PREFIX": "new"})

    with Client(fleet.url, settings=Settings(redis=fleet.url, prefix="new")) as client:
        assert client.enqueue("steps", {"steps": 2}).result(20) == [0, 1]
    raw.flushall()
