"""asyncio's own timeouts around what waits: they count while the process is there."""

from __future__ import annotations

import asyncio

import pytest

from penstock.runtime import asleep, entrypoint, interrupt
from tests.runtime.engine.waiting.steps import ask, counted, work
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, finish, questions

HOUR = 3600.0


def test_a_timeout_ends_a_sleep(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        try:
            async with asyncio.timeout(0.1):
                await asleep(5.0)
        except TimeoutError:
            return "timeout"
        return "slept"

    way.begin(flow)

    assert way.result == "timeout"


def test_a_sleep_that_is_shorter_than_the_timeout_around_it_is_slept(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        async with asyncio.timeout(20):
            await asleep(0.1)
        return "slept"

    way.begin(flow)

    assert finish(way, 0.2) == "slept"


def test_a_timeout_ends_the_wait_for_a_step_that_asks(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        try:
            first = await asyncio.wait_for(ask("lost"), 0.1)
        except TimeoutError:
            first = "nobody"
        return [first, str(interrupt("next"))]

    any_way.begin(flow)
    assert questions(any_way) == ["next"]
    answer(any_way, "next")

    assert any_way.result == ["nobody", "<next>"]


def test_a_wait_with_a_timeout_leaves_the_branches_that_wait_pending(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def asking() -> str:
            return str(interrupt("slow"))

        asked = asyncio.ensure_future(asking())
        done, pending = await asyncio.wait([asked], timeout=0.1)
        seen = f"{len(done)} done, {len(pending)} pending"
        return [seen, await asked]

    way.begin(flow)
    assert questions(way) == ["slow"]
    answer(way, "slow")

    assert way.result[1] == "<slow>"


def test_a_sleep_whose_timeout_was_over_is_over_in_the_next_attempt(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        try:
            async with asyncio.timeout(0.1):
                await asleep(5.0)
            first = await pay("slept")
        except TimeoutError:
            first = await pay("timeout")
        return [first, str(interrupt("next"))]

    way.begin(flow)
    assert questions(way) == ["next"]
    answer(way, "next")

    assert way.result == ["timeout", "<next>"]
    assert calls.made == ["timeout"]


def test_a_sleep_whose_timeout_was_over_is_not_slept_though_its_time_has_passed_by_then(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        try:
            async with asyncio.timeout(0.1):
                await asleep(5.0)
            first = "slept"
        except TimeoutError:
            first = "timeout"
        second = str(interrupt("next"))
        return [await pay(first), second]

    on_worker.begin(flow)
    assert questions(on_worker) == ["next"]
    assert on_worker.wakes_at() is None
    on_worker.wait(HOUR)
    answer(on_worker, "next")

    assert on_worker.result == ["timeout", "<next>"]
    assert calls.made == ["timeout"]


def test_a_step_that_was_cut_off_by_a_timeout_is_not_begun_again(way: Way, calls: Calls) -> None:
    slow = counted(calls, 5.0)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        try:
            first = await asyncio.wait_for(slow("slow"), 0.05)
        except TimeoutError:
            first = "timeout"
        return [first, str(interrupt("next"))]

    way.begin(flow)
    answer(way, "next")

    assert way.result == ["timeout", "<next>"]
    assert calls.made == ["slow"]


def test_a_timeout_around_a_step_counts_while_another_branch_sleeps(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def sleeping() -> str:
            await asleep(0.3)
            return "slept"

        async def limited() -> str:
            try:
                return await asyncio.wait_for(work("slow", 30.0), 0.05)
            except TimeoutError:
                return "timeout"

        return list(await asyncio.gather(sleeping(), limited()))

    way.begin(flow)

    assert finish(way, 0.4) == ["slept", "timeout"]


def test_a_sleep_of_asyncio_is_no_reason_to_leave(on_worker: OnMemoryWorker, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def plain() -> str:
            await asyncio.sleep(0.5)
            return await pay("after a plain sleep")

        async def durable() -> str:
            await asleep(HOUR)
            return await pay("after a durable sleep")

        return list(await asyncio.gather(durable(), plain()))

    on_worker.begin(flow)
    assert calls.made == ["after a plain sleep"]
    on_worker.wait(HOUR + 1)

    assert on_worker.result == ["after a durable sleep", "after a plain sleep"]
    assert calls.made == ["after a plain sleep", "after a durable sleep"]


@pytest.mark.parametrize("times", [1, 3])
def test_polling_beside_a_question_goes_on_until_it_is_left(
    on_worker: OnMemoryWorker, calls: Calls, times: int
) -> None:
    look = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def polling() -> list[str]:
            seen: list[str] = []
            for number in range(times):
                await asyncio.sleep(1.0)
                seen.append(await look(f"look {number}"))
            return seen

        polled, answered = await asyncio.gather(polling(), ask("well?"))
        return [*polled, answered]

    on_worker.begin(flow)
    answer(on_worker, "well?")

    looks = [f"look {number}" for number in range(times)]
    assert on_worker.result == [*looks, "<well?>"]
    assert calls.made == looks
