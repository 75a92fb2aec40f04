"""What is known of a run: nothing that an earlier status has left in its record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.redis.script import run as call
from penstock.runtime import AsyncClient, Client, RetryPolicy, entrypoint, interrupt, sleep, task
from penstock.runtime.client.run import RunHandle
from penstock.runtime.diagnostics.steps import read_steps
from penstock.runtime.errors import ResumeError, RunCancelledError
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.run import Run, RunStatus

failures = [0]


@entrypoint()
def asking(x: int) -> Any:
    return interrupt("?", timeout=3600)


@entrypoint()
def sleeping(x: int) -> int:
    sleep(3600)
    return x


@task(retry_policy=RetryPolicy(max_attempts=4, initial_interval=60, retry_on=ValueError))
def flaky(x: int) -> int:
    if failures[0]:
        failures[0] -= 1
        raise ValueError("not yet")
    return x


@task(queue="far")
def far(x: int) -> int:
    return flaky(x).result() + 1


@entrypoint()
def retrying(x: int) -> int:
    return flaky(x).result()


@entrypoint()
def remote(x: int) -> int:
    return far(x).result()


@entrypoint()
def failing(x: int) -> None:
    raise ValueError("broken")


@pytest.fixture
def worker() -> Iterator[InMemoryWorker]:
    flows = [asking, sleeping, retrying, remote, failing]
    with InMemoryWorker(flows, tasks=[far]) as worker:
        yield worker


def settled(run: RunHandle) -> tuple[Any, ...]:
    info = run.info()
    return info.status, info.asks, info.wakes_at, info.worker


def test_a_run_that_is_over_waits_for_nothing(worker: InMemoryWorker) -> None:
    answered, cancelled, late = (worker.client.enqueue(asking, 1) for _ in range(3))
    slept, shaken = (worker.client.enqueue(sleeping, 1) for _ in range(2))
    worker.work()
    assert answered.info().asks and answered.info().wakes_at
    assert slept.info().wakes_at and not slept.info().asks

    answered.resume(1)
    waiting = [settled(answered)]
    cancelled.cancel()
    shaken.cancel()
    worker.work()
    worker.advance(3601)

    assert waiting == [("queued", False, None, "")]
    assert settled(answered) == settled(slept) == ("completed", False, None, "")
    assert settled(cancelled) == settled(shaken) == ("cancelled", False, None, "")
    assert settled(late) == ("failed", False, None, "")


def test_a_run_that_waited_for_a_remote_step_has_no_time_any_more(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue(remote, 1)
    worker.work()

    assert settled(run) == ("completed", False, None, "")


def test_a_run_that_goes_on_has_no_end(worker: InMemoryWorker) -> None:
    run = worker.client.enqueue(failing, 1)
    worker.work()
    over = run.info()
    assert over.finished_at and over.reason == "ValueError: broken"

    run.resume()

    info = run.info()
    assert (info.status, info.finished_at, info.reason) == ("queued", None, "")


def test_what_an_earlier_status_has_left_in_the_record_is_not_shown() -> None:
    left = {"asks": "1", "wakes": "1", "worker": "w", "reason": "no", "finished": "1"}
    fields = {"thread": "t", "entrypoint": "f", "queue": "q", "attempt": "1", "created": "1"} | left

    shown = {
        status: {
            name
            for name in ("asks", "wakes_at", "worker", "reason", "finished_at")
            if getattr(Run.from_fields("r", fields | {"status": status}), name)
        }
        for status in RunStatus
    }

    ended = {"reason", "finished_at"}
    assert shown == {
        "queued": set(),
        "running": {"worker"},
        "suspended": {"asks", "wakes_at"},
        "completed": ended,
        "failed": ended,
        "cancelled": ended,
    }


@pytest.mark.parametrize(("flow", "step"), [(retrying, "flaky:0"), (remote, "far:0/flaky:0")])
def test_tries_are_tries_however_long_the_wait_between_them(
    worker: InMemoryWorker, flow: Any, step: str
) -> None:
    failures[0] = 2
    run = worker.client.enqueue(flow, 1)

    tries: list[int] = []
    for seconds in (0, 90, 600):
        worker.advance(seconds)
        steps = worker.client.do(read_steps(worker.client.plans, run.info()))
        tries += [each.tries for each in steps if each.step_id == step]

    assert run.status() == "completed"
    assert tries == [1, 2, 3]
    assert run.info().attempt == 1


def test_deaths_are_counted_also_from_before_a_run_was_resumed(worker: InMemoryWorker) -> None:
    client, calls = worker.client, worker.client.plans.calls
    run = client.enqueue(failing, 1)

    def die(times: int) -> None:
        for _ in range(times):
            call(client.connection, calls.acquire(run.run_id, "w", f"n{run.info().attempt}", 8.0))
            client.connection.zadd(client.plans.keys.leases, {run.run_id: 1})
            call(client.connection, calls.recover(3, 60.0))

    die(3)
    assert (run.status(), run.info().crashes) == ("failed", 3)
    (group,) = client.failures()
    assert (group.cause, group.error) == (run.info().cause, "PoisonRunError")
    assert [each.run_id for each in client.runs(error=group.cause)] == [run.run_id]
    run.resume()
    die(1)

    info = run.info()
    assert (info.status, info.crashes, info.attempt) == ("queued", 4, 4)
    deaths = client.connection.hmget(client.plans.keys.run(run.run_id), "death:1", "death:4")
    assert all(deaths)
    with pytest.raises(ResumeError):
        run.resume(1)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_result_is_looked_for_even_if_nobody_waits_for_it(redis_url: str) -> None:
    async def look(run_id: str) -> None:
        async with AsyncClient(redis_url) as client:
            await (await client.get(run_id)).result(0)

    with Client(redis_url) as client:
        run = client.enqueue("main", 1)
        with pytest.raises(TimeoutError, match="is not over"):
            asyncio.run(look(run.run_id))
        run.cancel()
        with pytest.raises(RunCancelledError):
            run.result(0)
        with pytest.raises(RunCancelledError):
            asyncio.run(look(run.run_id))
