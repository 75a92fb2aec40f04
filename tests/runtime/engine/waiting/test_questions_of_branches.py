"""Questions belong to the branch that asks them: answers reach it, and nobody else."""

from __future__ import annotations

import asyncio
import contextvars
import time
from functools import partial
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt, task
from tests.runtime.engine.waiting.steps import ask, block, work
from tests.runtime.flows import Calls
from tests.support.ways import Way, answer, finish, ids, questions


async def prepared(name: str, seconds: float) -> str:
    await work(name, seconds)
    return f"{name} got {interrupt(name)}"


@entrypoint()
async def two_branches(_: str) -> list[str]:
    return list(await asyncio.gather(prepared("A", 0.2), prepared("B", 0.01)))


@pytest.mark.parametrize("order", ["AB", "BA"])
def test_an_answer_reaches_the_branch_that_asked(any_way: Way, order: str) -> None:
    any_way.begin(two_branches)
    assert questions(any_way) == ["A", "B"]

    for name in order:
        answer(any_way, name)

    assert any_way.result == ["A got <A>", "B got <B>"]


def test_answers_given_at_once_reach_their_branches(any_way: Way) -> None:
    any_way.begin(two_branches)

    answer(any_way, "B", "A")

    assert any_way.result == ["A got <A>", "B got <B>"]


def test_a_question_that_stays_open_keeps_its_id(any_way: Way) -> None:
    any_way.begin(two_branches)
    before = ids(any_way)

    answer(any_way, "B")

    assert ids(any_way) == {"A": before["A"]}


def test_two_branches_may_ask_the_same(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def one(name: str, seconds: float) -> str:
            await work(name, seconds)
            return f"{name}{interrupt('well?')}"

        return list(await asyncio.gather(one("a", 0.1), one("b", 0.05), one("c", 0.01)))

    way.begin(flow)
    known = {question.id for question in way.asked}
    assert len(known) == 3
    first, *rest = known
    way.resume({first: "1"})
    assert {question.id for question in way.asked} == set(rest)
    way.resume(dict.fromkeys(rest, "2"))

    assert sorted(each[0] for each in way.result) == ["a", "b", "c"]
    assert sorted(each[1] for each in way.result) == ["1", "2", "2"]


def test_each_branch_asks_one_question_after_the_other(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> dict[str, list[str]]:
        heard: dict[str, list[str]] = {}

        async def one(name: str, seconds: float) -> None:
            for number in range(3):
                await work(f"{name}{number}", seconds)
                heard.setdefault(name, []).append(interrupt(f"{name}{number}"))

        await asyncio.gather(one("a", 0.05), one("b", 0.01), one("c", 0.03))
        return heard

    any_way.begin(flow)
    for question in ("b0", "b1", "c0", "a0", "c1", "a1", "b2", "a2", "c2"):
        answer(any_way, question)

    assert any_way.result == {name: [f"<{name}{number}>" for number in range(3)] for name in "abc"}


def test_questions_of_steps_in_branches_find_their_answers(way: Way) -> None:
    @task
    async def interview(name: str, seconds: float) -> list[str]:
        async def about(what: str, pause: float) -> str:
            await work(f"{name} {what}", pause)
            return str(interrupt(f"{name}'s {what}"))

        return list(await asyncio.gather(about("age", seconds), about("size", 0.05 - seconds)))

    @entrypoint()
    async def flow(_: str) -> list[list[str]]:
        return list(await asyncio.gather(interview("Ann", 0.04), interview("Bob", 0.01)))

    way.begin(flow)
    assert len(way.asked) == 4
    for question in ("Bob's size", "Ann's age", "Bob's age", "Ann's size"):
        answer(way, question)

    assert way.result == [["<Ann's age>", "<Ann's size>"], ["<Bob's age>", "<Bob's size>"]]


def test_a_question_of_the_body_stands_beside_those_of_its_branches(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[Any]:
        beside = asyncio.create_task(prepared("beside", 0.01))
        await work("body", 0.05)
        own = interrupt("body")
        return [own, await beside]

    way.begin(flow)
    assert questions(way) == ["beside", "body"]
    answer(way, "body")
    answer(way, "beside")

    assert way.result == ["<body>", "beside got <beside>"]


def slow_then_quick(calls: Calls, name: str, first: float, later: float) -> None:
    """Take another time in the first attempt than in those after it."""
    time.sleep(later if calls.count(name) else first)
    calls(name)


def test_questions_in_threads_of_the_body_find_their_answers(any_way: Way, calls: Calls) -> None:
    def in_thread(name: str, first: float, later: float) -> str:
        slow_then_quick(calls, name, first, later)
        return f"{name} got {interrupt(name)}"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(
            await asyncio.gather(
                asyncio.to_thread(in_thread, "A", 0.1, 0.0),
                asyncio.to_thread(in_thread, "B", 0.0, 0.1),
            )
        )

    any_way.begin(flow)
    assert questions(any_way) == ["A", "B"]
    answer(any_way, "B")
    answer(any_way, "A")

    assert any_way.result == ["A got <A>", "B got <B>"]


def test_questions_in_threads_with_a_copied_context_find_their_answers(
    way: Way, calls: Calls
) -> None:
    def in_thread(name: str, first: float, later: float) -> str:
        slow_then_quick(calls, name, first, later)
        return f"{name} got {interrupt(name)}"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        loop = asyncio.get_running_loop()
        threads = [
            loop.run_in_executor(None, partial(contextvars.copy_context().run, in_thread, *each))
            for each in (("A", 0.1, 0.0), ("B", 0.0, 0.1))
        ]
        return list(await asyncio.gather(*threads))

    way.begin(flow)
    answer(way, "A")
    answer(way, "B")

    assert way.result == ["A got <A>", "B got <B>"]


def test_questions_of_nested_entrypoints_in_branches_find_their_answers(way: Way) -> None:
    @entrypoint()
    async def child(name: str) -> str:
        await work(name, 0.05 if name == "A" else 0.01)
        return f"{name} got {interrupt(name)}"

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(child.ainvoke("A"), child.ainvoke("B")))

    way.begin(flow)
    answer(way, "B")
    answer(way, "A")

    assert way.result == ["A got <A>", "B got <B>"]


def test_a_branch_that_has_its_answer_works_on_while_others_still_wait(
    any_way: Way, calls: Calls
) -> None:
    @task
    async def book(name: str) -> str:
        calls(name)
        await asyncio.sleep(0.02)
        return name

    @entrypoint()
    async def flow(_: str) -> list[str]:
        async def one(name: str) -> str:
            return await book(await ask(name))

        return list(await asyncio.gather(one("a"), one("b"), one("c")))

    any_way.begin(flow)
    answer(any_way, "c")
    assert calls.made == ["<c>"]
    answer(any_way, "a")
    assert calls.made == ["<c>", "<a>"]
    answer(any_way, "b")

    assert any_way.result == ["<a>", "<b>", "<c>"]
    assert calls.made == ["<c>", "<a>", "<b>"]


def test_a_branch_asks_though_a_step_in_a_thread_is_still_at_work(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(ask("quick"), slowly()))

    async def slowly() -> str:
        await block("slow", 0.1)
        return await ask("late")

    way.begin(flow)
    assert questions(way) == ["late", "quick"]

    assert finish(way) == ["<quick>", "<late>"]


# -- time limits --------------------------------------------------------------------------------


def test_the_time_limit_of_a_question_belongs_to_its_branch(any_way: Way) -> None:
    async def one(name: str, seconds: float, limit: float) -> str:
        await work(name, seconds)
        return str(interrupt(name, timeout=limit, default=f"nobody answered {name}"))

    @entrypoint()
    async def flow(_: str) -> list[str]:
        return list(await asyncio.gather(one("A", 0.1, 60), one("B", 0.01, 0.3)))

    any_way.begin(flow)
    assert questions(any_way) == ["A", "B"]
    any_way.wait(0.4)
    assert questions(any_way) == ["A"]
    answer(any_way, "A")

    assert any_way.result == ["<A>", "nobody answered B"]


def test_a_branch_goes_on_by_its_limit_while_the_other_one_is_answered(way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> list[str]:
        heard: list[str] = []

        async def one(name: str, seconds: float, limit: float) -> None:
            await work(name, seconds)
            heard.append(interrupt(name, timeout=limit, default=f"no {name}"))
            heard.append(interrupt(f"{name} again"))

        await asyncio.gather(one("A", 0.1, 0.3), one("B", 0.01, 60))
        return heard

    way.begin(flow)
    way.wait(0.4)
    assert questions(way) == ["A again", "B"]
    answer(way, "B")
    answer(way, "B again", "A again")

    assert sorted(way.result) == ["<A again>", "<B again>", "<B>", "no A"]
