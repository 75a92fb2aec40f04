"""Code that takes another way by itself is told so, before anything is executed twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt
from penstock.runtime.errors import ReplayError
from tests.runtime.engine.waiting.steps import counted, work
from tests.runtime.flows import Calls
from tests.support.ways import Way, answer


def is_first(calls: Calls) -> bool:
    """Tell whether the body runs for the first time; what no body should ask."""
    calls("body")
    return calls.count("body") == 1


def test_a_branch_that_calls_with_other_arguments_is_told(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        name = "first" if is_first(calls) else "second"

        async def paying() -> str:
            return await pay(name)

        paid = await asyncio.gather(paying(), work("beside"))
        return [*paid, interrupt("?")]

    way.begin(flow)
    answer(way, "?")

    with pytest.raises(ReplayError, match="pay"):
        _ = way.result
    assert calls.made == ["body", "first", "body"]


def test_branches_that_are_begun_in_another_order_are_told(way: Way, calls: Calls) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        names = ["a", "b", "c"] if is_first(calls) else ["c", "a", "b"]

        async def paying(name: str) -> str:
            return await pay(name)

        paid = await asyncio.gather(*(paying(name) for name in names))
        return [*paid, interrupt("?")]

    way.begin(flow)
    answer(way, "?")

    with pytest.raises(ReplayError, match="pay"):
        _ = way.result
    assert sorted(calls.made) == ["a", "b", "body", "body", "c"]


def test_a_branch_that_is_not_begun_again_is_missed_before_something_new_is_done(
    way: Way, calls: Calls
) -> None:
    pay = counted(calls)

    @entrypoint()
    async def flow(_: str) -> list[Any]:
        names = ["a", "b"] if is_first(calls) else ["a"]

        async def paying(name: str) -> str:
            return await pay(name)

        paid = await asyncio.gather(*(paying(name) for name in names))
        return [*paid, interrupt("?"), await pay("after")]

    way.begin(flow)
    answer(way, "?")

    with pytest.raises(ReplayError, match="pay"):
        _ = way.result
    assert "after" not in calls.made
