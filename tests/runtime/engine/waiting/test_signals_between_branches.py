"""Branches that wait for each other, while some of them wait for somebody outside."""

from __future__ import annotations

import asyncio

from penstock.runtime import asleep, entrypoint, interrupt
from penstock.runtime.testing import crash_after_each_step
from tests.runtime.engine.waiting.steps import ask, counted, work
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, questions


def test_an_event_that_an_answer_sets_lets_the_others_go(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        approved = asyncio.Event()

        async def approving() -> str:
            heard = str(interrupt("approve?"))
            approved.set()
            return heard

        async def paying(name: str) -> str:
            await work(f"prepare {name}")
            await approved.wait()
            return await pay(name)

        return list(await asyncio.gather(paying("a"), approving(), paying("b")))

    way.begin(flow)
    assert questions(way) == ["approve?"]
    assert calls.made == []
    answer(way, "approve?")

    assert way.result == ["a", "<approve?>", "b"]
    assert sorted(calls.made) == ["a", "b"]


def test_a_semaphore_is_held_by_a_branch_that_asks(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        one_at_a_time = asyncio.Semaphore(1)

        async def one(name: str) -> str:
            async with one_at_a_time:
                heard = await ask(name)
                return await pay(heard)

        return list(await asyncio.gather(one("a"), one("b"), one("c")))

    way.begin(flow)
    for name in "abc":
        assert questions(way) == [name]
        answer(way, name)

    assert way.result == ["<a>", "<b>", "<c>"]
    assert calls.made == ["<a>", "<b>", "<c>"]


def test_two_at_a_time_ask(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        two_at_a_time = asyncio.Semaphore(2)

        async def one(name: str) -> str:
            async with two_at_a_time:
                return await ask(name)

        return list(await asyncio.gather(*(one(name) for name in "abcd")))

    way.begin(flow)
    assert questions(way) == ["a", "b"]
    answer(way, "b")
    assert questions(way) == ["a", "c"]
    answer(way, "c")
    assert questions(way) == ["a", "d"]
    answer(way, "a", "d")

    assert way.result == ["<a>", "<b>", "<c>", "<d>"]


def test_a_condition_wakes_the_branch_that_waits_for_enough(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        votes: list[str] = []
        changed = asyncio.Condition()

        async def vote(name: str) -> None:
            heard = await ask(name)
            async with changed:
                votes.append(heard)
                changed.notify_all()

        voting = [asyncio.create_task(vote(name)) for name in "abc"]
        async with changed:
            await changed.wait_for(lambda: len(votes) >= 2)
        for each in voting:
            each.cancel()
        return [*votes, await pay("enough"), await ask("last")]

    way.begin(flow)
    answer(way, "c")
    assert questions(way) == ["a", "b"]
    answer(way, "a")
    assert questions(way) == ["last"]
    answer(way, "last")

    assert way.result == ["<c>", "<a>", "enough", "<last>"]
    assert calls.made == ["enough"]


def test_a_branch_awaits_another_one_that_asks(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def asking() -> str:
            return str(interrupt("?"))

        asked = asyncio.create_task(asking())

        async def paying(name: str) -> str:
            await pay(f"before {name}")
            return await pay(f"{name} {await asked}")

        return list(await asyncio.gather(paying("a"), paying("b")))

    way.begin(flow)
    assert sorted(calls.made) == ["before a", "before b"]
    answer(way, "?")

    assert way.result == ["a <?>", "b <?>"]
    assert sorted(calls.made) == ["a <?>", "b <?>", "before a", "before b"]


def test_a_future_that_a_sleeper_resolves_lets_the_body_go_on(on_worker: OnMemoryWorker) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def resolving() -> None:
            await asleep(100)
            found.set_result("found")

        resolver = asyncio.create_task(resolving())
        heard = await ask("?")
        value = await found
        await resolver
        return [heard, value]

    on_worker.begin(flow)
    answer(on_worker, "?")
    assert not on_worker.is_over
    on_worker.wait(101)

    assert on_worker.result == ["<?>", "found"]


def test_a_body_that_waits_for_a_branch_ends_with_the_attempt_that_has_lost_its_run() -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        values: list[str] = []
        changed = asyncio.Condition()

        async def branch(name: str, seconds: float) -> None:
            values.append(await work(name, seconds))
            async with changed:
                changed.notify_all()

        begun = [asyncio.create_task(branch(*each)) for each in (("a", 0.0), ("b", 0.1))]
        async with changed:
            await changed.wait_for(lambda: len(values) == len(begun))
        return sorted(values)

    assert crash_after_each_step(flow, "") == ["a", "b"]
