"""The periodic duties of a worker."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from penstock.runtime import entrypoint
from penstock.runtime.executor.app import App
from penstock.runtime.executor.executor import Executor
from penstock.runtime.settings import Settings
from penstock.worker.process import upkeep
from penstock.worker.process.capacity import Capacity
from penstock.worker.process.registration import Registration
from penstock.worker.process.rq_jobs import OrdinaryJobs
from penstock.worker.process.rq_worker import RQWorker
from penstock.worker.process.upkeep import Upkeep

KEY = "penstock:entrypoint:add"


class Idle(RQWorker):
    """As RQ knows a worker; it has nothing to do."""

    def stop_job(self, job_id: str) -> None: ...


@entrypoint()
def add(x: int) -> int:
    return x


@entrypoint(name="add")
def add_later(x: int) -> int:
    """Add, as the next release does."""
    return x


def nothing() -> None: ...


@contextmanager
def upkept(url: str, connection: redis.Redis, name: str, app: App) -> Generator[Upkeep]:
    """The duties of a worker that begins."""
    worker = Idle(["default"], name=name, connection=connection)
    registration = Registration(worker, lambda _: None)
    registration.take()
    executor = Executor(url, app, Settings(), on_end=nothing)
    yield Upkeep(
        worker, registration, executor, OrdinaryJobs(worker, nothing), Capacity(1), nothing
    )
    executor.close()


def test_a_description_that_redis_refused_is_told_again_soon(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "DESCRIBE_AGAIN", 0.0)
    redis_client.lpush(KEY, "corrupt")

    with upkept(redis_url, redis_client, "w", App({"add": add})) as duties:
        with pytest.raises(ResponseError):
            duties.tick()
        redis_client.delete(KEY)
        duties.tick()
        assert redis_client.exists(KEY)
        redis_client.delete(KEY)
        duties.tick()

        assert not redis_client.exists(KEY), "it is told once an hour"


def test_the_clocks_of_machines_do_not_say_which_worker_is_newer(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "DESCRIBE_EVERY", 0.0)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3600)
    with upkept(redis_url, redis_client, "old", App({"add": add})) as old:
        old.tick()
        monkeypatch.setattr(time, "time", right)
        with upkept(redis_url, redis_client, "new", App({"add": add_later})) as new:
            new.tick()
            old.tick()

    text: Any = redis_client.get(KEY)
    assert json.loads(text)["about"] == "Add, as the next release does."
