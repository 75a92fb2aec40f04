"""Runs that begin later: they sleep on their thread until they are due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.runtime import entrypoint
from penstock.runtime.client.run import RunHandle
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.testing import InMemoryWorker


@entrypoint()
def echo(text: str) -> str:
    return text


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    with InMemoryWorker([echo]) as worker:
        yield worker


def enqueue(worker: InMemoryWorker, text: str, delay: float, **options: Any) -> RunHandle:
    wanted = Wanted("echo", text, delay=delay, **options)
    return RunHandle(worker.client, *worker.client.do(worker.client.plans.enqueue(wanted)))


def test_a_delayed_run_begins_when_it_is_due(worker: InMemoryWorker) -> None:
    run = enqueue(worker, "late", 60.0)
    worker.work()
    info = run.info()
    assert (info.status, info.asks, info.started_at) == ("suspended", False, None)
    assert info.wakes_at is not None
    assert (info.wakes_at - info.created_at).total_seconds() == 60.0

    worker.advance(61.0)

    assert run.result() == "late"
    fields = worker.client.do(worker.client.plans.fields(run.run_id))
    assert fields["delay"] == "60000"


def test_a_delayed_run_keeps_its_thread_until_then(worker: InMemoryWorker) -> None:
    run = enqueue(worker, "late", 60.0, thread_id="t")
    behind = enqueue(worker, "behind", 90.0, thread_id="t")
    worker.work()
    assert (run.status(), behind.status()) == ("suspended", "queued")

    worker.advance(61.0)
    assert (run.status(), behind.status()) == ("completed", "suspended")

    worker.advance(30.0)
    assert behind.result() == "behind"


def test_a_run_whose_time_came_while_it_waited_for_its_turn_begins_at_once(
    worker: InMemoryWorker,
) -> None:
    enqueue(worker, "late", 60.0, thread_id="t")
    behind = enqueue(worker, "behind", 1.0, thread_id="t")

    worker.advance(61.0)

    assert behind.result() == "behind"


def test_a_delayed_run_can_be_cancelled(worker: InMemoryWorker) -> None:
    run = enqueue(worker, "late", 60.0)

    run.cancel()

    worker.advance(61.0)
    assert run.status() == "cancelled"
    assert not worker.client.connection.zcard("penstock:timers")
