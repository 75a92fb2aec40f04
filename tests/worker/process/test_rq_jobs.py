from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.timeouts import TimerDeathPenalty

from penstock.worker.process.rq_jobs import OrdinaryJobs
from tests.support.until import until


class ThreadedWorker(SimpleWorker):
    death_penalty_class = TimerDeathPenalty  # signals are for the main thread


JOBS = "tests.faults.support.flows"


@pytest.fixture
def ended() -> list[None]:
    """One item for each job that was let go."""
    return []


@pytest.fixture
def jobs(redis_client: redis.Redis, ended: list[None]) -> Iterator[OrdinaryJobs]:
    worker = ThreadedWorker([Queue("default", connection=redis_client)], connection=redis_client)
    cast(Any, worker).register_birth()
    jobs = OrdinaryJobs(worker, on_end=lambda: ended.append(None))
    yield jobs
    jobs.close(10.0)


@pytest.fixture
def queue(redis_client: redis.Redis) -> Queue:
    return Queue("default", connection=redis_client)


def pop(raw: redis.Redis, job: Job) -> None:
    """Move a job where a pop of RQ's leaves it."""
    raw.lmove("rq:queue:default", "rq:queue:default:intermediate")
    assert raw.lrange("rq:queue:default:intermediate", 0, -1) == [job.id.encode()]


def test_a_job_is_run_and_filed(
    jobs: OrdinaryJobs, queue: Queue, redis_client: redis.Redis, ended: list[None]
) -> None:
    job = queue.enqueue(f"{JOBS}.multiply", 6, 7)
    pop(redis_client, job)

    jobs.begin("default", job.id)

    until(lambda: ended == [None])
    assert job.return_value() == 42
    assert redis_client.exists("rq:queue:default:intermediate") == 0


def test_a_job_that_is_gone_is_let_go(
    jobs: OrdinaryJobs, ended: list[None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        jobs.begin("default", "gone")
        until(lambda: ended == [None])

    assert "RQ job gone could not be run" in caplog.text


def test_closing_waits_for_what_runs_but_not_for_ever(
    jobs: OrdinaryJobs, queue: Queue, redis_client: redis.Redis, ended: list[None]
) -> None:
    job = queue.enqueue(f"{JOBS}.doze", 3.0)
    pop(redis_client, job)
    jobs.begin("default", job.id)
    until(lambda: job.get_status(refresh=True) == "started")

    began = time.monotonic()
    jobs.close(0.2)
    assert 0.15 < time.monotonic() - began < 2.5

    until(lambda: ended == [None])


def test_a_job_is_stopped_where_it_comes_back_from_waiting(
    jobs: OrdinaryJobs,
    queue: Queue,
    redis_client: redis.Redis,
    ended: list[None],
    tmp_path: Path,
) -> None:
    job = queue.enqueue(f"{JOBS}.doze", 8.0, str(tmp_path / "begun"))
    pop(redis_client, job)
    jobs.begin("default", job.id)
    until((tmp_path / "begun").exists)

    assert jobs.stop(job.id)
    assert not jobs.stop("another")

    until(lambda: ended == [None], 3)
    assert job.get_status(refresh=True) == "stopped"
