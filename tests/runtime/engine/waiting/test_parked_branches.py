"""A branch that waits is parked; the others work on, and no step of theirs is begun twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from penstock.runtime import RetryPolicy, asleep, entrypoint, interrupt, sleep, task
from penstock.runtime.testing import crash_after_each_step
from tests.runtime.engine.waiting.steps import ask, block, counted, counted_in_thread
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, finish, questions

HOUR = 3600.0
Waits = Callable[[], Coroutine[Any, Any, str]]

tried: list[str] = []


@task(queue="far")
def far(x: str) -> str:
    return x


@task(retry_policy=RetryPolicy(initial_interval=HOUR, jitter=False, max_attempts=3))
async def tried_again(x: str) -> str:
    tried.append(x)
    if len(tried) % 2:
        raise ConnectionError("not yet")
    return x


async def asks() -> str:
    return str(interrupt("?"))


async def asks_in_a_step() -> str:
    return await ask("?")


async def sleeps() -> str:
    await asleep(HOUR)
    return "slept"


async def sleeps_in_a_thread() -> str:
    def in_thread() -> str:
        sleep(HOUR)
        return "slept"

    return await asyncio.to_thread(in_thread)


async def waits_for_a_retry() -> str:
    return await tried_again("tried")


async def waits_for_a_remote_step() -> str:
    return await far("far")


WAITS: list[tuple[Waits, str]] = [
    (asks, "<?>"),
    (asks_in_a_step, "<?>"),
    (sleeps, "slept"),
    (sleeps_in_a_thread, "slept"),
    (waits_for_a_retry, "tried"),
    (waits_for_a_remote_step, "far"),
]


@pytest.mark.parametrize(("waits", "value"), WAITS, ids=lambda each: getattr(each, "__name__", ""))
@pytest.mark.parametrize("kind", ["async", "thread"])
def test_steps_beside_a_branch_that_waits_are_executed_once(
    on_worker: OnMemoryWorker, calls: Calls, waits: Waits, value: str, kind: str
) -> None:
    tried.clear()
    pay = counted(calls) if kind == "async" else counted_in_thread(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        async def chain() -> list[str]:
            return [await pay(name) for name in ("first", "pay", "third")]

        return list(await asyncio.gather(waits(), chain()))

    on_worker.begin(flow, tasks=[far])
    assert calls.made == ["first", "pay", "third"]

    assert finish(on_worker, HOUR + 1) == [value, ["first", "pay", "third"]]
    assert calls.made == ["first", "pay", "third"]


def test_steps_beside_a_question_are_executed_once(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        async def chain(name: str) -> str:
            for number in range(4):
                await pay(f"{name}{number}")
            return name

        return list(await asyncio.gather(ask("?"), chain("a"), asks(), chain("b")))

    way.begin(flow)
    assert len(way.asked) == 2

    assert finish(way) == ["<?>", "a", "<?>", "b"]
    assert sorted(calls.made) == [f"{name}{number}" for name in "ab" for number in range(4)]


def test_steps_of_a_step_beside_one_that_asks_are_executed_once(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @task
    async def order(name: str) -> list[str]:
        return [await pay(f"{name}{number}") for number in range(3)]

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        return list(await asyncio.gather(ask("?"), order("a"), order("b")))

    way.begin(flow)
    answer(way, "?")

    assert way.result == ["<?>", ["a0", "a1", "a2"], ["b0", "b1", "b2"]]
    assert sorted(calls.made) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_steps_of_threads_beside_a_question_are_executed_once(way: Way, calls: Calls) -> None:
    pay = counted_in_thread(calls)

    def chain(name: str) -> list[str]:
        return [pay(f"{name}{number}").result() for number in range(3)]

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        return list(
            await asyncio.gather(
                ask("?"), asyncio.to_thread(chain, "a"), asyncio.to_thread(chain, "b")
            )
        )

    way.begin(flow)
    assert len(calls.made) == 6
    answer(way, "?")

    assert way.result == ["<?>", ["a0", "a1", "a2"], ["b0", "b1", "b2"]]
    assert sorted(calls.made) == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_nested_entrypoint_beside_a_question_works_to_its_end(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def child(name: str) -> list[str]:
        return [await pay(f"{name}{number}") for number in range(3)]

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        return list(await asyncio.gather(asks(), child.ainvoke("a"), child.ainvoke("b")))

    way.begin(flow)
    assert len(calls.made) == 6
    answer(way, "?")

    assert way.result == ["<?>", ["a0", "a1", "a2"], ["b0", "b1", "b2"]]
    assert len(calls.made) == 6


def test_each_branch_gets_as_far_as_it_can_before_the_run_leaves(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def one(number: int) -> str:
            for step in range(number):
                await pay(f"{number}.{step}")
            return str(interrupt(f"question {number}"))

        return list(await asyncio.gather(*(one(number) for number in range(5))))

    way.begin(flow)
    assert questions(way) == [f"question {number}" for number in range(5)]

    assert finish(way) == [f"<question {number}>" for number in range(5)]
    assert len(calls.made) == len(set(calls.made)) == 10


def test_what_cleans_up_behind_a_sleep_comes_after_it_and_once(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    clean = counted(calls)

    @entrypoint()
    async def flow(_: str) -> str:
        try:
            await asleep(HOUR)
        finally:
            await clean("clean")
        return "slept"

    on_worker.begin(flow)
    assert calls.made == []
    on_worker.wait(HOUR + 1)

    assert on_worker.result == "slept"
    assert calls.made == ["clean"]


def test_what_cleans_up_behind_a_question_comes_after_it_and_once(way: Way, calls: Calls) -> None:
    clean = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def one(name: str) -> str:
            try:
                return str(interrupt(name))
            finally:
                await clean(name)

        return list(await asyncio.gather(one("a"), one("b")))

    way.begin(flow)
    assert calls.made == []
    answer(way, "b")
    assert calls.made == ["b"]
    answer(way, "a")

    assert way.result == ["<a>", "<b>"]
    assert calls.made == ["b", "a"]


def test_a_branch_that_catches_everything_still_waits(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def careless() -> str:
            try:
                return str(interrupt("?"))
            except Exception:
                return await pay("caught")

        return list(await asyncio.gather(careless(), pay("beside")))

    way.begin(flow)
    assert calls.made == ["beside"]
    answer(way, "?")

    assert way.result == ["<?>", "beside"]
    assert calls.made == ["beside"]


def test_a_run_with_parked_branches_survives_a_crash_after_each_step() -> None:
    @task
    async def count(name: str) -> int:
        await asyncio.sleep(0.01)
        return len(name)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        async def chain(name: str) -> list[int]:
            return [await count(name), await count(name * 2)]

        async def waiting(name: str) -> list[Any]:
            first = await count(name)
            await asleep(HOUR)
            return [first, str(interrupt(name)), await count("after")]

        return list(await asyncio.gather(chain("a"), waiting("b"), chain("c"), waiting("d")))

    result = crash_after_each_step(flow, "", answer=lambda asked: f"<{asked.value}>")

    assert result == [[1, 2], [1, "<b>", 5], [1, 2], [1, "<d>", 5]]


def test_a_run_does_not_leave_before_a_branch_knows_what_its_thread_has_brought(way: Way) -> None:
    """The step has ended, and the loop is yet to take its outcome, as it looks who can go on."""
    known: list[str] = []

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def working() -> str:
            known.append(await block("work", 0.05))
            return str(interrupt("first?"))

        async def asking() -> str:
            return str(interrupt("second?"))

        async def blocking() -> str:
            time.sleep(0.2)  # the thread ends meanwhile
            return str(interrupt("third?"))

        return list(await asyncio.gather(working(), asking(), blocking()))

    way.begin(flow)

    assert known == ["work"]
    assert sorted(questions(way)) == ["first?", "second?", "third?"]
