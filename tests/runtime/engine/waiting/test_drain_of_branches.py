"""A run that drains lets the steps at work end, begins nothing new, and leaves at once then."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from penstock.runtime import (
    InMemorySaver,
    RetryPolicy,
    RunControl,
    asleep,
    entrypoint,
    get_runtime,
    sleep,
    task,
)
from penstock.runtime.errors import RunDrainedError
from penstock.runtime.workflow.entrypoint import AnyEntrypoint
from tests.runtime.engine.waiting.steps import counted, counted_in_thread, work
from tests.runtime.flows import Calls
from tests.support.ways import CONFIG

LONG: Final = 0.6
"""Seconds that the step takes which is at work as the drain begins."""

BEGUN: Final = 0.2
"""Seconds after which the drain begins."""

QUICK: Final = 2.0
"""Seconds within which a run has left that has no step at work."""

HOUR: Final = 3600.0


def drained(flow: AnyEntrypoint, **options: Any) -> float:
    """Begin a run and let it drain; returns how many seconds that took."""
    control, began = RunControl(), [0.0]

    async def begin() -> None:
        running = asyncio.ensure_future(flow.ainvoke("", CONFIG, control=control, **options))
        await asyncio.sleep(BEGUN)
        began[0] = time.monotonic()
        control.request_drain()
        await running

    with pytest.raises(RunDrainedError):
        asyncio.run(begin())
    return time.monotonic() - began[0]


def finished(flow: AnyEntrypoint) -> Any:
    """Let the run go on until it has ended."""
    return asyncio.run(flow.ainvoke(None, CONFIG))


# -- beside a step at work ------------------------------------------------------------------------


async def steps_in_a_row() -> None:
    for _number in range(12):
        await work("tick", 0.05)


async def a_short_sleep() -> None:
    await asleep(1.0)


async def a_nested_entrypoint() -> None:
    @entrypoint(name="inner")
    async def inner(_: str) -> None:
        await steps_in_a_row()

    await inner.ainvoke("")


async def a_step_with_steps() -> None:
    @task
    async def outer() -> None:
        await steps_in_a_row()

    await outer()


async def a_step_in_a_thread_with_steps() -> None:
    @task
    def outer() -> None:
        for _number in range(12):
            work("tick", 0.05).result()

    await outer()


async def a_pause_between_tries() -> None:
    @task(retry_policy=RetryPolicy(initial_interval=1.0, jitter=False))
    async def flaky() -> None:
        if get_runtime().execution_info.step_attempt == 1:
            raise ConnectionError

    await flaky()


async def tries_in_a_row() -> None:
    @task(
        retry_policy=RetryPolicy(
            max_attempts=12, initial_interval=0.05, backoff_factor=1, jitter=False
        )
    )
    async def flaky() -> None:
        if get_runtime().execution_info.step_attempt < 12:
            raise ConnectionError

    await flaky()


async def code_that_catches_everything() -> None:
    for _number in range(12):
        try:
            await work("tick", 0.05)
        except BaseException:
            await work("caught")
            raise


async def a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(steps_in_a_row())
        group.create_task(a_short_sleep())


BESIDE: Final[list[Callable[[], Awaitable[None]]]] = [
    steps_in_a_row, a_short_sleep, a_nested_entrypoint, a_step_with_steps,
    a_step_in_a_thread_with_steps, a_pause_between_tries, tries_in_a_row,
    code_that_catches_everything, a_task_group,
]  # fmt: skip


@pytest.mark.parametrize("make", [counted, counted_in_thread])
@pytest.mark.parametrize("beside", BESIDE)
def test_a_step_at_work_ends_whatever_other_branches_come_to(
    calls: Calls, beside: Callable[[], Awaitable[None]], make: Callable[..., Any]
) -> None:
    pay = make(calls, LONG)

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        branches: list[Awaitable[Any]] = [pay("once"), beside()]
        ended: list[Any] = await asyncio.gather(*branches)
        return str(ended[0])

    took = drained(flow)

    assert LONG - BEGUN - 0.1 < took < LONG + 0.5
    assert finished(flow) == "once"
    assert calls.made == ["once"]


def test_a_step_that_sleeps_shortly_is_at_work(calls: Calls) -> None:
    @task
    async def poll() -> str:
        calls("async")
        for _number in range(6):
            await asleep(0.1)
        return "polled"

    @task
    def poll_in_thread() -> str:
        calls("sync")
        for _number in range(6):
            sleep(0.1)
        return "polled"

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> list[str | None]:
        return [*await asyncio.gather(poll(), poll_in_thread(), steps_in_a_row())][:2]

    drained(flow)

    assert finished(flow) == ["polled", "polled"]
    assert sorted(calls.made) == ["async", "sync"]


def test_a_step_at_work_may_write_and_beat(calls: Calls) -> None:
    @task
    def report() -> str:
        calls("began")
        for _number in range(6):
            time.sleep(0.1)
            get_runtime().heartbeat()
            get_runtime().stream_writer("alive")
        return "reported"

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        return (await asyncio.gather(report(), steps_in_a_row()))[0]

    drained(flow)

    assert finished(flow) == "reported"
    assert calls.made == ["began"]


def test_a_nested_entrypoint_that_is_at_work_ends(calls: Calls) -> None:
    @entrypoint()
    async def inner(_: str) -> str:
        calls("began")
        await asyncio.sleep(LONG)
        return "inner"

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        return str((await asyncio.gather(inner.ainvoke(""), steps_in_a_row()))[0])

    drained(flow)

    assert finished(flow) == "inner"
    assert calls.made == ["began"]


def test_a_sync_body_lets_its_steps_end(calls: Calls) -> None:
    pay = counted_in_thread(calls, LONG)

    @entrypoint(checkpointer=InMemorySaver())
    def flow(_: str) -> str:
        paid = pay("once")
        for _number in range(12):
            work("tick", 0.05).result()
        return paid.result()

    drained(flow)

    assert finished(flow) == "once"
    assert calls.made == ["once"]


# -- nothing new ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [counted, counted_in_thread])
def test_steps_that_wait_for_room_do_not_begin(calls: Calls, make: Callable[..., Any]) -> None:
    pay = make(calls, 0.4)

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(*(pay(str(number)) for number in range(6))))

    control = RunControl()
    config = {**CONFIG, "max_concurrency": 2}

    async def begin() -> None:
        running = asyncio.ensure_future(flow.ainvoke("", config, control=control))
        await asyncio.sleep(BEGUN)
        control.request_drain()
        await running

    with pytest.raises(RunDrainedError):
        asyncio.run(begin())

    assert sorted(calls.made) == ["0", "1"]
    assert finished(flow) == list("012345")
    assert sorted(calls.made) == list("012345")


def test_a_step_that_nobody_waits_for_begins_in_the_next_attempt(calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        await work("first", LONG)
        pay("later")
        return "done"

    drained(flow)
    assert calls.made == []

    assert finished(flow) == "done"
    assert calls.made == ["later"]


def test_code_that_cleans_up_does_it_in_the_next_attempt(calls: Calls) -> None:
    close = counted(calls)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await close("closed")

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        async with opened():
            await steps_in_a_row()
        return "done"

    drained(flow)
    assert calls.made == []

    assert finished(flow) == "done"
    assert calls.made == ["closed"]


# -- at once --------------------------------------------------------------------------------------


async def heartbeat() -> None:
    while True:
        await asyncio.sleep(0.1)


def test_a_run_whose_body_only_sleeps_leaves_at_once() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> None:
        await asleep(HOUR)

    assert drained(flow) < QUICK


def test_a_run_whose_sync_body_only_sleeps_leaves_at_once() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    def flow(_: str) -> None:
        sleep(HOUR)

    assert drained(flow) < QUICK


def test_a_run_without_a_loop_leaves_at_once() -> None:
    control = RunControl()

    @entrypoint(checkpointer=InMemorySaver())
    def flow(_: str) -> None:
        sleep(HOUR)

    threading.Timer(BEGUN, control.request_drain).start()
    began = time.monotonic()
    with pytest.raises(RunDrainedError):
        flow.invoke("", CONFIG, control=control)

    assert time.monotonic() - began < QUICK


def test_a_heartbeat_of_the_body_keeps_nothing() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> None:
        beating = asyncio.create_task(heartbeat())
        for _number in range(1000):
            await work("tick", 0.05)
        beating.cancel()

    assert drained(flow) < QUICK


def test_a_heartbeat_of_a_step_that_cannot_end_keeps_nothing() -> None:
    @task
    async def outer() -> None:
        beating = asyncio.create_task(heartbeat())
        for _number in range(1000):
            await work("tick", 0.05)
        beating.cancel()

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> None:
        await outer()

    assert drained(flow) < QUICK


def test_a_body_between_two_tries_leaves_at_once() -> None:
    @entrypoint(
        checkpointer=InMemorySaver(),
        retry_policy=RetryPolicy(initial_interval=HOUR, max_interval=HOUR),
    )
    async def flow(_: str) -> None:
        raise ConnectionError

    assert drained(flow) < QUICK


def test_a_run_that_is_replayed_leaves_at_once(calls: Calls) -> None:
    pay = counted(calls, 0.1)

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> list[str]:
        return await asyncio.gather(*(pay(str(number)) for number in range(3)), tail())

    async def tail() -> str:
        await steps_in_a_row()
        return "tail"

    drained(flow)
    control = RunControl()
    control.request_drain()
    with pytest.raises(RunDrainedError):
        asyncio.run(flow.ainvoke(None, CONFIG, control=control))

    assert finished(flow) == ["0", "1", "2", "tail"]
    assert sorted(calls.made) == ["0", "1", "2"]


# -- cancelled meanwhile --------------------------------------------------------------------------


def test_a_run_that_is_cancelled_while_it_drains_ends_at_once() -> None:
    control, has_begun = RunControl(), asyncio.Event()

    @task
    async def long() -> None:
        has_begun.set()
        await asyncio.sleep(HOUR)

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> None:
        await asyncio.gather(steps_in_a_row(), long())

    async def begin() -> None:
        running = asyncio.ensure_future(flow.ainvoke("", CONFIG, control=control))
        await has_begun.wait()  # one that has begun nothing leaves, and is not cancelled
        control.request_drain()
        await asyncio.sleep(BEGUN)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(begin(), 5))
