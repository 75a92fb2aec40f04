"""Timers that the code begins by itself are over in the same places in every attempt."""

from __future__ import annotations

import asyncio
import base64
import gc
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
import uvloop

from penstock.runtime import (
    Command,
    InMemorySaver,
    RetryPolicy,
    entrypoint,
    interrupt,
    task,
)
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.waiting.own_timers import (
    OwnTimers,
    TimerName,
    read,
    stamp_with_timers,
)
from penstock.runtime.engine.waiting.stamp import Stamp
from penstock.runtime.settings import Settings
from penstock.runtime.testing import InMemoryWorker
from tests.runtime.engine.waiting.steps import join, work
from tests.support.ways import CONFIG, OnMemoryWorker, answer

LIMIT: Final = 0.2

Loop = Callable[[], asyncio.AbstractEventLoop]
loops = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


class Stall:
    """Blocks the event loop of the attempts that are not the first, as a stopped process does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.attempts = 0

    async def __call__(self) -> None:
        self.attempts += 1
        await asyncio.sleep(0)  # by then the branches have begun their timers
        if self.attempts > 1:
            time.sleep(self._seconds)


async def replayed(flow: Any, *, attempts: int = 2) -> Any:
    """Return what comes of a flow that asks at its end."""
    await flow.ainvoke("", CONFIG)
    return [await flow.ainvoke(Command(resume="!"), CONFIG) for _ in range(1, attempts)][-1]


@loops
@pytest.mark.parametrize("stall", [0.0, 2 * LIMIT])
def test_a_dict_is_filled_in_the_same_order_as_limits_and_steps_end(
    new_loop: Loop, stall: float
) -> None:
    stalls = Stall(stall)
    filled: list[list[str]] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> list[str]:
        found: dict[str, bool] = {}

        async def cut(name: str, seconds: float) -> None:
            try:
                async with asyncio.timeout(seconds):
                    await asyncio.sleep(60)
            except TimeoutError:
                found[name] = True

        async def step(name: str, seconds: float) -> None:
            await work(name, seconds)
            found[name] = True

        async def deep(name: str, seconds: float) -> None:
            await asyncio.gather(asyncio.create_task(step(name, seconds)))

        branches = asyncio.gather(
            cut("second", LIMIT),
            step("first", LIMIT / 2),
            deep("third", 1.5 * LIMIT),
            cut("fourth", 2 * LIMIT),
            deep("fifth", 2.5 * LIMIT),
        )
        await stalls()
        await branches
        filled.append(list(found))
        return [await join(found), interrupt("?")]

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(replayed(flow))

    assert filled == [["first", "second", "third", "fourth", "fifth"]] * 2


@loops
def test_a_replay_does_not_wait_again_for_a_timer_that_was_over(new_loop: Loop) -> None:
    took: list[float] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        began = time.monotonic()

        async def beat() -> None:
            for _ in range(10):
                await asyncio.sleep(LIMIT / 5)

        await asyncio.gather(beat(), work("beside"))
        await work("after")
        took.append(time.monotonic() - began)
        return interrupt("?")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(replayed(flow)) == "!"

    assert took[0] >= 2 * LIMIT
    assert took[1] < LIMIT


@loops
def test_a_timer_that_was_not_over_keeps_its_time_in_a_replay(new_loop: Loop) -> None:
    took: list[float] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        began = time.monotonic()
        limit = asyncio.create_task(asyncio.sleep(LIMIT))
        await work("quick", 0.0)
        found = interrupt("?")
        await limit
        took.append(time.monotonic() - began)
        return found

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(replayed(flow)) == "!"

    assert took[-1] > LIMIT / 2


def test_callbacks_of_timers_are_called_once_in_each_attempt_and_cancelled_ones_never() -> None:
    called: list[str] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(LIMIT * n / 8, called.append, str(n)) for n in range(1, 5)]
        cancelled = loop.call_later(LIMIT / 8, called.append, "cancelled")
        late = loop.call_later(60, called.append, "late")
        cancelled.cancel()
        await asyncio.gather(work("beside", LIMIT), work("quick", 0.0))
        late.cancel()
        assert [timer.cancelled() for timer in (*timers, cancelled, late)] == [False] * 4 + [
            True
        ] * 2
        await work("after")
        return interrupt("?")

    asyncio.run(replayed(flow))

    assert called == ["1", "2", "3", "4"] * 2


@pytest.mark.parametrize("limit", [0.05, 5.0])
def test_what_a_limit_has_cut_is_cut_on_a_worker_too(
    limit: float, on_worker: OnMemoryWorker
) -> None:
    """Time of the code's own is skipped there, so that limits and steps come due at once."""

    @entrypoint()
    async def flow(_: str) -> Any:
        try:
            async with asyncio.timeout(limit):
                found = await work("slow", 1.0)
        except TimeoutError:
            found = "cut"
        return [found, await join({found: True}), interrupt("?")]

    on_worker.begin(flow)
    answer(on_worker, "?")

    expected = "cut" if limit < 1 else "slow"
    assert on_worker.result == [expected, expected, "<?>"]


def test_a_stamp_tells_of_timers_in_ranges() -> None:
    timers = OwnTimers("load:0")
    names = [TimerName("a1", number) for number in (3, 4, 5, 9)] + [TimerName("b", 10)]
    for name in names:
        timers.over(name)

    written = str(Stamp(1000, 7, 20, timers.written()))
    stamp = stamp_with_timers(f'{{"value":1,"at":"{written}"}}')

    assert written.endswith("~a1_3-5,a1_9,b_10")
    assert stamp == stamp_with_timers(f"{written}.x") == stamp_with_timers(written.encode())
    assert stamp is not None
    assert [name for _, name in read(stamp)] == names
    assert sorted(each for each, _ in read(stamp)) == [each for each, _ in read(stamp)]
    assert all(each < stamp for each, _ in read(stamp))
    assert timers.written() == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"value":"1.2.3.ab~4"}',
        '{"value":{"at":"1.2.3.ab~4"}}',
        "1.2.3",
        "x1",
        '{"at":"1.2.3"}',
        "~",
    ],
)
def test_what_only_looks_like_a_stamp_is_none(text: str) -> None:
    assert stamp_with_timers(text) is None


def test_pauses_between_the_tries_of_steps_are_no_timers_of_the_code() -> None:
    """They begin in some attempts only, and would give the code's own timers other numbers."""
    tried: list[str] = []

    @task(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False, max_attempts=3))
    async def shaky(name: str) -> str:
        tried.append(name)
        if len(tried) < 3:
            raise ConnectionError("not yet")
        return name

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        async def cut() -> str:
            await work("before", 2 * LIMIT / 10)
            try:
                async with asyncio.timeout(LIMIT):
                    return await work("within", LIMIT / 2)
            except TimeoutError:
                return "cut"

        found = list(await asyncio.gather(cut(), shaky("shaky"), work("beside", LIMIT / 10)))
        return [await join(found), interrupt("?")]

    assert asyncio.run(replayed(flow)) == ["within shaky beside", "!"]


def test_a_timer_that_was_over_in_a_replay_holds_the_run_no_longer(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> Any:
        async def cut() -> str:
            try:
                async with asyncio.timeout(60):
                    return str(interrupt("never answered"))
            except TimeoutError:
                return "cut"

        found = list(await asyncio.gather(cut(), work("slow", 61)))
        await work("after")
        return [*found, interrupt("first?"), interrupt("second?")]

    on_worker.begin(flow)
    answer(on_worker, "first?")
    answer(on_worker, "second?")

    assert on_worker.result == ["cut", "slow", "<first?>", "<second?>"]


def test_no_more_timers_are_read_of_a_stamp_than_can_be_meant() -> None:
    stamp = stamp_with_timers("1.2.3.ab~c_0-999999999999")

    assert stamp is not None
    assert list(read(stamp)) == []


@pytest.mark.parametrize("given", [{"at": "1.0.0.0~0_0"}, {"at": "1.0.0.0~0_0-3000000"}])
def test_what_the_user_gives_is_read_as_no_stamp(given: dict[str, str]) -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(given: Any) -> Any:
        async with asyncio.timeout(60):
            found = await work("a", LIMIT / 10)
        answer = interrupt("?")
        async with asyncio.timeout(60):
            more = await work("b", LIMIT / 10)
        return [found, answer, more, interrupt("??")]

    async def drive() -> Any:
        for value in (given, Command(resume=given), Command(resume="!")):
            found = await flow.ainvoke(value, CONFIG)
        return found

    assert asyncio.run(drive()) == ["a", given, "b", "!"]


def test_a_timer_that_some_attempts_do_not_begin_gives_no_other_its_name() -> None:
    """As an object shared by all runs does, that closes idle connections."""
    begun: list[asyncio.TimerHandle] = []

    def request() -> None:
        if not begun:
            begun.append(asyncio.get_running_loop().call_later(LIMIT / 4, print, ""))

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        await work("begin", 0.0)
        request()
        async with asyncio.timeout(60):
            found = await asyncio.gather(work("a", LIMIT / 2), work("b", LIMIT / 2))
        return [*found, interrupt("?")]

    assert asyncio.run(replayed(flow)) == ["a", "b", "!"]


def test_timers_of_branches_that_wait_for_threads_keep_their_names() -> None:
    attempts: list[int] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        attempts.append(1)
        is_first, log = len(attempts) == 1, list[str]()
        await work("begin", 0.0)

        async def one() -> None:
            await asyncio.to_thread(time.sleep, LIMIT / 4 if is_first else LIMIT)
            await asyncio.sleep(LIMIT / 4)
            log.append(await work("one", 0.0))

        async def other() -> None:
            await asyncio.to_thread(time.sleep, LIMIT * 0.75 if is_first else 0.0)
            async with asyncio.timeout(60):
                await asyncio.to_thread(time.sleep, LIMIT / 2)
                log.append(await work("other", 0.0))

        await asyncio.gather(one(), other())
        return [*log, interrupt("?")]

    assert asyncio.run(replayed(flow)) == ["one", "other", "!"]


@pytest.mark.parametrize("is_step", [False, True])
def test_timers_of_a_second_try_are_over_in_its_replay(is_step: bool) -> None:
    tried: list[int] = []
    again = RetryPolicy(initial_interval=0.01, jitter=False, max_attempts=3)

    async def body() -> Any:
        tried.append(1)
        log = list[str]()
        await work("begin", 0.0)
        if len(tried) == 1:
            raise ConnectionError("not yet")

        async def cut() -> None:
            try:
                async with asyncio.timeout(LIMIT):
                    await asyncio.sleep(60)
            except TimeoutError:
                log.append("cut")

        async def step() -> None:
            log.append(await work("step", 1.5 * LIMIT))

        await asyncio.gather(cut(), step())
        return [await join(log), interrupt("?")]

    step = task(retry_policy=again, name="body")(body)

    @entrypoint(checkpointer=InMemorySaver(), retry_policy=None if is_step else again)
    async def flow(_: str) -> Any:
        return await (step() if is_step else body())

    assert asyncio.run(replayed(flow)) == ["cut step", "!"]


def test_sequential_code_does_not_overtake_a_timer_on_the_record() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        log = list[str]()
        await work("begin", 0.0)
        asyncio.get_running_loop().call_later(LIMIT / 2, log.append, "timer")
        log.append(await work("a", LIMIT))
        log.append(await work("b", LIMIT / 4))
        return [await join(log), interrupt("?")]

    assert asyncio.run(replayed(flow)) == ["timer a b", "!"]


def test_a_timer_before_the_first_step_is_not_waited_for_again() -> None:
    took: list[float] = []

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> Any:
        began = time.monotonic()
        await asyncio.sleep(2 * LIMIT)
        await work("after", 0.0)
        took.append(time.monotonic() - began)
        return interrupt("?")

    asyncio.run(replayed(flow))

    assert took[0] > 1.5 * LIMIT
    assert took[1] < LIMIT


def test_encrypted_runs_are_replayed_in_their_order() -> None:
    keys = "k:" + base64.b64encode(bytes(range(32))).decode()

    @entrypoint()
    async def flow(_: str) -> Any:
        found = list(await asyncio.gather(work("a", LIMIT), work("b", LIMIT / 2)))
        await asyncio.sleep(60)
        return [*found, await work("c", 0.0), interrupt("?")]

    with InMemoryWorker([flow], settings=Settings(encryption_keys=keys)) as worker:
        run = worker.client.enqueue(flow, "")
        worker.work()
        run.resume("!")
        worker.work()
        assert run.result(1) == ["a", "b", "c", "!"]


def test_runs_that_are_over_are_not_kept_by_their_timers() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> None:
        await asyncio.wait_for(work("x", 0.0), 60)

    async def main() -> int:
        stop = asyncio.Event()

        @entrypoint(checkpointer=InMemorySaver())
        async def holder(_: str) -> None:
            await work("q", 0.0)
            await stop.wait()

        held = asyncio.create_task(holder.ainvoke("", {"configurable": {"thread_id": "h"}}))
        await asyncio.sleep(0.05)
        before = attempts()
        for _ in range(20):
            await flow.ainvoke("", CONFIG)
        more = attempts() - before
        stop.set()
        await held
        return more

    def attempts() -> int:
        gc.collect()
        return sum(type(each) is Attempt for each in gc.get_objects())

    assert asyncio.run(main()) <= 2


def test_a_loop_that_somebody_has_patched_keeps_the_patch() -> None:
    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: str) -> str:
        return await work("x", 0.0)

    async def main() -> list[float]:
        loop, calls = asyncio.get_running_loop(), list[float]()
        own = loop.call_later

        def patched(delay: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
            calls.append(delay)
            return own(delay, *args, **options)

        vars(loop)["call_later"] = patched
        await flow.ainvoke("", CONFIG)
        calls.clear()
        await asyncio.sleep(0.01)
        return calls

    assert asyncio.run(main()) == [0.01]
