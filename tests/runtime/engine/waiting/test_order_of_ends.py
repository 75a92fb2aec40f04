"""What ends during a replay, was cancelled, or is tried again keeps its place in the order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import InMemorySaver, RetryPolicy, asleep, entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, block, join, work
from tests.runtime.flows import thread
from tests.support.branching.game import play_in_process
from tests.support.ways import OnMemoryWorker, Way, answer, finish


async def first_step(*steps: Any) -> str:
    """Return what the first of some steps has come to, and cancel the others."""
    done, late = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
    for each in late:
        each.cancel()
    return str(next(each for each in steps if each in done).result())


@pytest.mark.parametrize("remote_first", [True, False])
def test_a_step_on_another_queue_does_not_win_a_race_that_it_had_lost(
    on_worker: OnMemoryWorker, remote_first: bool
) -> None:
    @task(queue="far")
    async def far(name: str) -> str:
        return name

    @task
    async def near(name: str) -> str:
        return name

    @entrypoint()
    async def flow(_: str) -> list[str]:
        called: list[Any] = [far, near] if remote_first else [near, far]
        steps = [each(each.name) for each in called]
        done, _late = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
        winner = next(each for each in steps if each in done).result()
        sure = interrupt(f"take {winner}?")
        return [sure, await work(f"took {winner}")]

    on_worker.begin(flow, tasks=[far])
    answer(on_worker, "take near?")

    assert finish(on_worker) == ["<take near?>", "took near"]


@pytest.mark.parametrize("by", ["step", "body"])
def test_the_second_try_gets_outcomes_in_the_order_of_the_first(way: Way, by: str) -> None:
    policy = RetryPolicy(initial_interval=0.01, jitter=False)
    tries: list[list[str]] = []

    async def collect() -> list[str]:
        found: list[str] = []
        tries.append(found)
        steps = [work(f"step{number}", 0.02 * (4 - number)) for number in range(4)]
        for each in asyncio.as_completed(steps):
            found.append(await each)
            await join(found)
        if len(tries) == 1:
            raise ConnectionError("not yet")
        return found

    @task(retry_policy=policy)
    async def collecting() -> list[str]:
        return await collect()

    @entrypoint(retry_policy=policy)
    async def flow(_: str) -> list[str]:
        return await collecting() if by == "step" else await collect()

    way.begin(flow)

    assert way.result == tries[0] == tries[1]
    assert len(tries) == 2


@task
async def thorough(name: str) -> str:
    """A step that has recorded another one before it is cancelled."""
    await work("looked up")
    await asyncio.sleep(30)
    return name


@pytest.mark.parametrize("late", [block, thorough])
def test_a_step_that_lost_is_not_missed_after_a_question(way: Way, late: Any) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        slow = late("late", 0.1) if late is block else late("late")
        found = await first_step(slow, work("quick", 0.05))
        return [found, interrupt("buy?")]

    way.begin(flow)
    answer(way, "buy?")

    assert way.result == ["quick", "<buy?>"]


def test_a_new_end_does_not_join_a_recorded_one(on_worker: OnMemoryWorker) -> None:
    traces: list[list[str]] = []

    @task
    async def nap() -> str:
        async with asyncio.TaskGroup() as group:
            looking: Any = work("looked", 0.002)
            group.create_task(looking)
            group.create_task(asleep(5))
        return "slept"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        trace: list[str] = []
        traces.append(trace)
        waiting: set[Any] = {work("looked", 0.002), ask("ann"), nap(), ask("ben")}
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            trace.append("+".join(sorted(str(each.result()) for each in done)))
            await join(trace)
        return trace

    on_worker.begin(flow)
    answer(on_worker, "ann", "ben")
    on_worker.wait(60)

    assert on_worker.result == ["looked", "<ann>", "<ben>", "slept"]
    assert all(trace == traces[-1][: len(trace)] for trace in traces)


def test_a_timeout_that_came_before_an_end_comes_before_it_again(
    on_worker: OnMemoryWorker,
) -> None:
    @task
    async def checked(question: str) -> str:
        await work("looked up")
        return str(interrupt(question))

    async def limited() -> str:
        try:
            async with asyncio.timeout(0.2):
                return await ask("ann")
        except TimeoutError:
            return await work("ann is late")

    async def later() -> str:
        await asleep(600)
        return "slept"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        found: list[str] = []
        branches: list[Any] = [limited(), later(), checked("ben")]
        for each in asyncio.as_completed(branches):
            found.append(await each)
            await join(found)
        return found

    on_worker.begin(flow)
    answer(on_worker, "ben")
    on_worker.wait(700)

    assert on_worker.result == ["ann is late", "<ben>", "slept"]


def test_code_that_cancels_steps_goes_on_before_anything_else_becomes_known() -> None:
    race = ["race", True, [["askstep"], ["remind", [["askstep"]]], ["nap", 2]]]
    failing = ["catch", [["gather", [["fail", 5], ["step", 20]]]]]
    tree = ["complete", [["askstep"], race, ["step", 1], ["pipe", [failing, ["nap", 2]]]]]

    for _ in range(3):
        play_in_process(tree, [], InMemorySaver())


@task
async def echo(number: int) -> int:
    return number


def test_a_step_beside_others_asks_little_of_the_loop() -> None:
    """As the loop settles between two ends, each is looked at for several turns."""
    calls: list[Any] = []

    async def ten_branches(_: str) -> None:
        loop: Any = asyncio.get_running_loop()
        call_soon = loop.call_soon

        def counted(callback: Any, *args: Any, **options: Any) -> Any:
            calls.append(callback)
            return call_soon(callback, *args, **options)

        async def branch() -> None:
            for number in range(10):
                await echo(number)

        loop.call_soon = counted
        try:
            await asyncio.gather(*(branch() for _ in range(10)))
        finally:
            del loop.call_soon

    flow = entrypoint(checkpointer=InMemorySaver())(ten_branches)
    asyncio.run(flow.ainvoke("", thread("t")))

    assert 100 < len(calls) <= 340
