"""Steps on other queues beside branches that ask, sleep and race."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import RetryPolicy, asleep, entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, counted, first_of, work
from tests.runtime.flows import Calls
from tests.support.ways import OnMemoryWorker, answer, finish, questions

tried: list[str] = []


@task(queue="far")
def far(name: str) -> str:
    return name


@task(queue="far")
async def far_steps(name: str, levels: int) -> str:
    return name if levels == 0 else await near(name, levels - 1)


@task
async def near(name: str, levels: int) -> str:
    return name if levels == 0 else await near(name, levels - 1)


@task(queue="far", retry_policy=RetryPolicy(initial_interval=0.01, jitter=False))
async def far_flaky(name: str) -> str:
    tried.append(name)
    if tried.count(name) < 2:
        raise ConnectionError("not yet")
    return name


FAR: list[Any] = [far, far_steps, far_flaky]


def test_a_body_asks_after_steps_on_another_queue_have_come_back(
    on_worker: OnMemoryWorker,
) -> None:
    tried.clear()

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        names = await asyncio.gather(*(far(name) for name in "abc"))
        flaky = await far_flaky("flaky")
        steps = await far_steps("steps", 3)
        asked = [interrupt("first?"), interrupt("second?")]
        return [*names, flaky, steps, *asked, await far("last")]

    on_worker.begin(flow, tasks=FAR)
    for question in ("first?", "second?"):
        while not on_worker.asked:
            on_worker.wait(1)
        answer(on_worker, question)

    assert finish(on_worker) == ["a", "b", "c", "flaky", "steps", "<first?>", "<second?>", "last"]
    assert tried == ["flaky", "flaky"]


@pytest.mark.parametrize("where", ["here", "on another queue"])
def test_a_body_asks_after_a_step_and_then_one_on_another_queue(
    on_worker: OnMemoryWorker, where: str
) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        first = await (work("first") if where == "here" else far("first"))
        return [first, await far("second"), interrupt("?")]

    on_worker.begin(flow, tasks=FAR)

    assert finish(on_worker) == ["first", "second", "<?>"]


def test_results_from_other_queues_become_known_in_the_same_order_again(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        came: list[str] = []

        async def one(name: str, levels: int) -> None:
            came.append(await far_steps(name, levels))
            await pay(f"{len(came)}. {name}")

        await asyncio.gather(one("long", 3), one("short", 0), one("middle", 1))
        return [came, interrupt("?"), interrupt("??")]

    on_worker.begin(flow, tasks=FAR)
    came, *answers = finish(on_worker)

    assert sorted(came) == ["long", "middle", "short"]
    assert answers == ["<?>", "<??>"]
    assert sorted(calls.made) == [f"{n + 1}. {name}" for n, name in enumerate(came)]


def test_a_question_is_answered_while_a_step_is_on_another_queue(
    on_worker: OnMemoryWorker,
) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def chain(name: str) -> str:
            return await work(await far(name))

        async def asking() -> str:
            return str(interrupt("?"))

        return list(await asyncio.gather(chain("a"), asking(), chain("b"), ask("??")))

    on_worker.begin(flow, tasks=FAR)
    assert questions(on_worker) == ["?", "??"]
    answer(on_worker, "??")
    answer(on_worker, "?")

    assert on_worker.result == ["a", "<?>", "b", "<??>"]


def test_a_step_on_another_queue_that_has_lost_its_race_is_not_executed(
    on_worker: OnMemoryWorker, calls: Calls
) -> None:
    @task(queue="far")
    def pay(name: str) -> str:
        calls(name)
        return name

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def paying() -> str:
            return await pay("lost")

        async def working() -> str:
            return await work("done", 0.1)

        return [await first_of(paying(), working()), str(interrupt("next"))]

    on_worker.begin(flow, tasks=[pay])
    assert questions(on_worker) == ["next"]
    answer(on_worker, "next")

    assert on_worker.result == ["done", "<next>"]
    assert calls.made == []


def test_a_step_on_another_queue_beats_a_sleep(on_worker: OnMemoryWorker) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def sending() -> str:
            return await far("done")

        async def sleeping() -> str:
            await asleep(3600)
            return "slept"

        return [await first_of(sending(), sleeping()), str(interrupt("next"))]

    on_worker.begin(flow, tasks=FAR)
    assert questions(on_worker) == ["next"]
    assert on_worker.wakes_at() is None
    answer(on_worker, "next")

    assert on_worker.result == ["done", "<next>"]


def test_a_step_under_way_on_another_queue_keeps_its_place_after_a_timer_of_the_code(
    on_worker: OnMemoryWorker,
) -> None:
    @task(queue="far")
    async def slow(name: str) -> str:
        await asleep(100)
        return name

    taken: list[str] = []

    @entrypoint()
    async def flow(_: str) -> list[str]:
        names = ["a", "b"]

        async def take(who: str) -> str:
            taken.append(f"{who} {names[0]}")
            return await slow(names.pop(0))

        async def late() -> str:
            try:
                async with asyncio.timeout(0.1):
                    await asleep(3600)
            except TimeoutError:
                return await take("late")
            return "slept"

        async def asking() -> str:
            interrupt("go on?")
            return await take("asking")

        return list(await asyncio.gather(late(), asking()))

    on_worker.begin(flow, tasks=[slow])
    assert taken == ["late a"]
    answer(on_worker, "go on?")

    assert taken == ["late a", "late a", "asking b"]
    while not on_worker.is_over:
        on_worker.wait(50)

    assert on_worker.result == ["a", "b"]
