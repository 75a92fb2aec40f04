"""A wait that was cancelled or has lost its race is forgotten, and holds nobody up."""

from __future__ import annotations

import asyncio

from penstock.runtime import RetryPolicy, asleep, entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, asking, counted, fail, first_of, slept, working
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, Way, answer, questions

HOUR = 3600.0


def test_a_cancelled_reminder_reminds_nobody(way: Way, calls: Calls) -> None:
    remind = counted(calls)

    @entrypoint()
    async def flow(_: str) -> str:
        async def reminder() -> None:
            await asleep(HOUR)
            await remind("reminded")

        reminding = asyncio.create_task(reminder())
        done = await working("done", 0.05)
        reminding.cancel()
        return done

    way.begin(flow)

    assert way.result == "done"
    assert calls.made == []


def test_a_reminder_that_is_cancelled_after_an_answer_is_forgotten(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    remind = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def reminder() -> None:
            for number in range(100):
                await asleep(60)
                await remind(f"reminder {number}")

        reminding = asyncio.create_task(reminder())
        first = await ask("approve?")
        reminding.cancel()
        return [first, await ask("really?")]

    on_worker.begin(flow)
    on_worker.wait(61)
    on_worker.wait(61)
    answer(on_worker, "approve?")
    assert on_worker.wakes_at() is None
    on_worker.wait(HOUR)
    answer(on_worker, "really?")

    assert on_worker.result == ["<approve?>", "<really?>"]
    assert calls.made == ["reminder 0", "reminder 1"]


def test_a_task_group_that_fails_gives_up_what_its_branches_wait_for(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        caught = ""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asking("lost"))
                group.create_task(slept(HOUR))
                group.create_task(failing())
        except* ValueError as errors:
            caught = str(errors.exceptions[0])
        return [caught, str(interrupt("next"))]

    async def failing() -> str:
        return await fail("too bad", 0.05)

    any_way.begin(flow)
    assert questions(any_way) == ["next"]
    answer(any_way, "next")

    assert any_way.result == ["too bad", "<next>"]


def test_the_first_exception_ends_a_wait_beside_parked_branches(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def failing() -> str:
            return await fail("too bad", 0.05)

        tasks = [asyncio.ensure_future(each) for each in (asking("lost"), failing())]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for each in pending:
            each.cancel()
        return [str(each.exception()) for each in done] + [str(interrupt("next"))]

    any_way.begin(flow)
    assert questions(any_way) == ["next"]
    answer(any_way, "next")

    assert any_way.result == ["too bad", "<next>"]


def test_a_retry_that_has_lost_its_race_is_not_tried_again(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    @task(retry_policy=RetryPolicy(initial_interval=HOUR, jitter=False, max_attempts=3))
    async def flaky() -> str:
        calls("flaky")
        raise ConnectionError("not yet")

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def trying() -> str:
            return await flaky()

        return [await first_of(trying(), working("done", 0.1)), str(interrupt("next"))]

    on_worker.begin(flow)
    assert questions(on_worker) == ["next"]
    assert on_worker.wakes_at() is None
    on_worker.wait(2 * HOUR)
    answer(on_worker, "next")

    assert on_worker.result == ["done", "<next>"]
    assert calls.made == ["flaky"]


def test_a_remote_step_that_has_lost_its_race_is_given_up(on_worker: OnMemoryWorker) -> None:
    @task(queue="far")
    def far(x: str) -> str:
        return x

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def sending() -> str:
            return await far("far")

        return [await first_of(sending(), working("done", 0.1)), str(interrupt("next"))]

    on_worker.begin(flow, tasks=[far])
    assert questions(on_worker) == ["next"]
    answer(on_worker, "next")

    assert on_worker.result == ["done", "<next>"]
