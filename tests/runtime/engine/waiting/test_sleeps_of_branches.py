"""Sleeps and retries belong to their branch: each takes its own time, and only once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from penstock.runtime import RetryPolicy, asleep, entrypoint, interrupt, sleep, task
from penstock.runtime.func.task import Task
from tests.runtime.engine.waiting.steps import ask, counted, work
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, finish, questions


def test_each_branch_sleeps_its_own_time(on_worker: OnMemoryWorker, calls: Calls) -> None:
    awake = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def one(name: str, before: float, seconds: float) -> str:
            await work(name, before)
            await asleep(seconds)
            return await awake(name)

        return list(await asyncio.gather(one("short", 0.2, 100), one("long", 0.01, 1000)))

    on_worker.begin(flow)
    on_worker.wait(90)
    assert calls.made == []
    on_worker.wait(20)
    assert calls.made == ["short"]
    on_worker.wait(850)
    assert calls.made == ["short"]
    on_worker.wait(50)

    assert on_worker.result == ["short", "long"]
    assert calls.made == ["short", "long"]


def test_each_step_of_a_branch_sleeps_its_own_time(on_worker: OnMemoryWorker, calls: Calls) -> None:
    @task
    async def nap(name: str, before: float, seconds: float) -> str:
        async def napping(part: str, pause: float, long: float) -> None:
            await asyncio.sleep(pause)
            await asleep(long)
            calls(f"{name}{part}")

        await asyncio.gather(napping("1", before, seconds), napping("2", 0.1, seconds * 3))
        return name

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(nap("a", 0.2, 100), nap("b", 0.01, 1000)))

    on_worker.begin(flow)
    seen: list[set[Any]] = []
    for seconds in (101, 200, 700, 2000):
        on_worker.wait(seconds)
        seen.append(set(calls.made))

    assert seen == [{"a1"}, {"a1", "a2"}, {"a1", "a2", "b1"}, {"a1", "a2", "b1", "b2"}]
    assert on_worker.result == ["a", "b"]


def test_each_thread_of_a_body_sleeps_its_own_time(on_worker: OnMemoryWorker, calls: Calls) -> None:
    def napping(name: str, first: float, later: float, seconds: float) -> str:
        time.sleep(later if calls.count(f"{name} begins") else first)
        calls(f"{name} begins")
        sleep(seconds)
        calls(name)
        return name

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(
            await asyncio.gather(
                asyncio.to_thread(napping, "short", 0.1, 0.0, 100),
                asyncio.to_thread(napping, "long", 0.0, 0.1, 1000),
            )
        )

    on_worker.begin(flow)
    on_worker.wait(101)
    assert calls.count("short") == 1
    assert calls.count("long") == 0
    on_worker.wait(850)
    assert calls.count("long") == 0
    on_worker.wait(60)

    assert on_worker.result == ["short", "long"]


def test_a_sleep_goes_on_while_a_question_is_answered(on_worker: OnMemoryWorker) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def sleeping() -> str:
            await asleep(100)
            return "slept"

        return list(await asyncio.gather(ask("a"), sleeping(), ask("b")))

    on_worker.begin(flow)
    on_worker.wait(60)
    answer(on_worker, "b")
    assert questions(on_worker) == ["a"]
    on_worker.wait(50)
    assert on_worker.wakes_at() is None
    answer(on_worker, "a")

    assert on_worker.result == ["<a>", "slept", "<b>"]


def test_sleeps_in_a_row_beside_each_other_take_as_long_as_the_longest_row(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    awake = counted(calls)

    @entrypoint()
    async def flow(_: str) -> int:
        async def row(name: str, *naps: float) -> None:
            for seconds in naps:
                await asleep(seconds)
                await awake(f"{name} {seconds:g}")

        await asyncio.gather(row("a", 10, 20, 30), row("b", 25, 25), row("c", 50))
        return len(calls.made)

    on_worker.begin(flow)
    for _ in range(11):
        on_worker.wait(6)

    assert on_worker.result == 6
    assert calls.made == ["a 10", "b 25", "a 20", "c 50", "b 25", "a 30"]


def test_a_sleep_takes_its_time_beside_steps_and_questions(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def sleeping() -> str:
            await work("before", 0.05)
            await asleep(0.4)
            return await work("after", 0.01)

        return list(await asyncio.gather(sleeping(), work("beside", 0.01), ask("?")))

    begin = time.monotonic()
    way.begin(flow)
    result = finish(way, 0.5)

    assert result == ["after", "beside", "<?>"]
    if not isinstance(way, OnMemoryWorker):
        assert time.monotonic() - begin >= 0.4


def test_retries_of_branches_wait_their_own_time(on_worker: OnMemoryWorker, calls: Calls) -> None:
    def flaky(name: str, seconds: float) -> Task[[float], int]:
        @task(
            name=name,
            retry_policy=RetryPolicy(initial_interval=seconds, max_interval=seconds, jitter=False),
        )
        async def step(before: float) -> int:
            await asyncio.sleep(before)
            calls(name)
            if calls.count(name) < 2:
                raise ConnectionError("not yet")
            return calls.count(name)

        return step

    short, long = flaky("short", 100), flaky("long", 1000)

    @entrypoint()
    async def flow(_: str) -> list[int]:
        return list(await asyncio.gather(short(0.1), long(0.01)))

    on_worker.begin(flow)
    assert sorted(calls.made) == ["long", "short"]
    on_worker.wait(101)
    assert calls.count("short") == 2
    on_worker.wait(850)
    assert calls.count("long") == 1
    on_worker.wait(60)

    assert on_worker.result == [2, 2]
    assert calls.made == ["long", "short", "short", "long"]


def test_tries_are_counted_while_other_branches_ask(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    @task(retry_policy=RetryPolicy(initial_interval=60, jitter=False, max_attempts=3))
    async def flaky() -> str:
        calls("try")
        if calls.count("try") < 3:
            raise ConnectionError("not yet")
        return "done"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(flaky(), ask("a"), ask("b")))

    on_worker.begin(flow)
    answer(on_worker, "a")
    answer(on_worker, "b")
    assert calls.made == ["try"]
    on_worker.wait(61)
    on_worker.wait(121)

    assert on_worker.result == ["done", "<a>", "<b>"]
    assert calls.made == ["try"] * 3


def test_a_branch_that_sleeps_does_not_delay_an_error_of_another_one(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        async def sleeping() -> None:
            await asleep(3600)

        async def failing() -> None:
            await work("before", 0.05)
            raise KeyError("own")

        try:
            await asyncio.gather(sleeping(), failing())
        except KeyError:
            return f"caught, {interrupt('then?')}"
        return "nothing"

    on_worker.begin(flow)
    assert questions(on_worker) == ["then?"]
    answer(on_worker, "then?")

    assert on_worker.result == "caught, <then?>"
