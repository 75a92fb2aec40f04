"""The periodic duties of a worker."""

from __future__ import annotations

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


def nothing() -> None: ...


def test_a_description_that_redis_refused_is_told_again_soon(
    redis_url: str, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "DESCRIBE_AGAIN", 0.0)
    worker = Idle(["default"], name="w", connection=redis_client)
    registration = Registration(worker, lambda _: None)
    registration.take()
    executor = Executor(redis_url, App({"add": add}), Settings(), on_end=nothing)
    duties = Upkeep(
        worker, registration, executor, OrdinaryJobs(worker, nothing), Capacity(1), nothing
    )
    redis_client.lpush(KEY, "corrupt")

    with pytest.raises(ResponseError):
        duties.tick()
    redis_client.delete(KEY)
    duties.tick()
    assert redis_client.exists(KEY)
    redis_client.delete(KEY)
    duties.tick()

    assert not redis_client.exists(KEY), "it is told once an hour"
    executor.close()
