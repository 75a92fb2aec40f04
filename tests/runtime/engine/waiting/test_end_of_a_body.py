"""When a body returns its run is over, whatever still waits or keeps time in it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import pytest

from penstock.runtime import RetryPolicy, asleep, entrypoint, sleep, task
from tests.runtime.engine.waiting.steps import ask, counted, counted_in_thread, work
from tests.runtime.flows import Calls
from tests.support.ways import Way

HOUR: Final = 3600.0
QUICK: Final = 3.0

# -- what keeps time beside a wait ----------------------------------------------------------------


async def heartbeat() -> None:
    while True:
        await asyncio.sleep(0.1)


async def one_long_sleep() -> None:
    await asyncio.sleep(HOUR)


async def repeated_timer() -> None:
    loop = asyncio.get_running_loop()

    def again() -> None:
        loop.call_later(0.1, again)

    again()


async def timeout_of_a_wait() -> None:
    async with asyncio.timeout(HOUR):
        await asyncio.Event().wait()


async def thread_of_its_own() -> None:
    await asyncio.to_thread(time.sleep, 6)


async def step_that_has_ended() -> None:
    kept: list[asyncio.Task[None]] = []

    @task
    async def begin() -> None:
        kept.append(asyncio.create_task(heartbeat()))

    await begin()


@pytest.mark.parametrize(
    "stray",
    [
        heartbeat, one_long_sleep, repeated_timer, timeout_of_a_wait, thread_of_its_own,
        step_that_has_ended,
    ],
)  # fmt: skip
@pytest.mark.parametrize("lost", [lambda: ask("lost?"), lambda: asleep(HOUR)])
def test_a_body_that_has_returned_is_not_kept_by_a_timer(
    way: Way,
    stray: Callable[[], Coroutine[Any, Any, None]],
    lost: Callable[[], Awaitable[Any]],
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        straying = asyncio.create_task(stray())
        asked, worked = asyncio.ensure_future(lost()), work("done", 0.1)
        waited: set[Any] = {asked, worked}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return f"{await worked} {straying.done()}"

    began = time.monotonic()
    way.begin(flow)

    assert way.result.startswith("done")
    if stray is not thread_of_its_own:  # a thread pool waits for its threads as its loop closes
        assert time.monotonic() - began < QUICK


@pytest.mark.parametrize("make", [counted, counted_in_thread])
def test_steps_at_work_still_end(way: Way, calls: Calls, make: Callable[..., Any]) -> None:
    pay, ended = make(calls, 0.3), Calls()

    @task
    async def notify() -> None:
        await pay("paid")
        ended("notified")

    @entrypoint()
    async def flow(_: str) -> str:
        asyncio.create_task(heartbeat())  # noqa: RUF006 - it is to stray
        asked: Any = ask("lost?")
        notify()
        await asyncio.wait({asked}, timeout=0.1)
        return "done"

    way.begin(flow)

    assert way.result == "done"
    assert (calls.made, ended.made) == (["paid"], ["notified"])


# -- threads that sleep for nobody ----------------------------------------------------------------


@task
def sleeps() -> None:
    sleep(HOUR)


@task
def sleeps_below() -> None:
    sleeps().result()


@task
def sleeps_on_the_loop() -> None:
    @task
    async def on_the_loop() -> None:
        await asleep(HOUR)

    on_the_loop().result()


@task
def sleeps_in_an_entrypoint() -> None:
    @entrypoint()
    def inner(_: str) -> None:
        sleep(HOUR)

    inner.invoke("")


@task(retry_policy=RetryPolicy(initial_interval=HOUR, max_interval=HOUR))
def sleeps_between_tries() -> None:
    raise ConnectionError


@task(retry_policy=3)
def sleeps_in_a_try() -> None:
    sleep(HOUR)


@pytest.mark.parametrize(
    "lost",
    [
        sleeps, sleeps_below, sleeps_on_the_loop, sleeps_in_an_entrypoint, sleeps_between_tries,
        sleeps_in_a_try,
    ],
)  # fmt: skip
def test_a_step_in_a_thread_that_was_cancelled_sleeps_no_longer(way: Way, lost: Any) -> None:
    before = set(threading.enumerate())

    @entrypoint()
    async def flow(_: str) -> str:
        late, fast = lost(), work("fast", 0.2)
        waited: set[Any] = {late, fast}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        return await fast

    began = time.monotonic()
    way.begin(flow)

    assert way.result == "fast"
    assert time.monotonic() - began < QUICK
    assert not [each for each in set(threading.enumerate()) - before if "asyncio" in each.name]
