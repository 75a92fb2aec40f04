"""A step that its caller cancels ends in a replay as it did: when, and with what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from penstock.runtime import entrypoint, interrupt, task
from penstock.runtime.func.task import Task
from tests.runtime.engine.waiting.steps import join, work
from tests.support.ways import Way, answer

LATE = 0.2
"""Seconds that a step takes to clean up, in which others end."""


@task
async def tidy(seconds: float) -> str:
    """A step that cleans up for so long when it is cancelled."""
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(seconds)
    return "never"


@task
async def stubborn(seconds: float) -> str:
    """A step that saves what it has when it is cancelled."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(seconds)
        return "saved"
    return "never"


@task
async def clumsy(seconds: float) -> str:
    """A step that fails while it cleans up."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(seconds)
        raise ValueError("cleaning up failed") from None
    return "never"


@entrypoint()
async def tidy_child(seconds: float) -> str:
    """As `tidy`, by a step of its own."""
    try:
        await work("long", 60)
    finally:
        await work("cleaning up", seconds)
    return "never"


@entrypoint()
async def stubborn_child(seconds: float) -> str:
    """As `stubborn`, with steps of its own."""
    try:
        await work("long", 60)
    except asyncio.CancelledError:
        return await work("saved", seconds)
    return "never"


async def told_and_asked(found: str) -> str:
    """Give a value to a step, which its arguments tell; then let a replay do so again."""
    await join([found])
    return str(await join([found, interrupt("go on?")]))


async def by_timeout_of_an_entrypoint() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await tidy_child.ainvoke(LATE)


async def by_cancel_of_an_entrypoint() -> None:
    child = asyncio.create_task(tidy_child.ainvoke(LATE))
    await work("before the cancel")
    child.cancel()
    with pytest.raises(asyncio.CancelledError):
        await child


async def by_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await tidy(LATE)


async def by_cancel() -> None:
    step = tidy(LATE)
    await work("before the cancel")
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step


async def by_wait() -> None:
    step = tidy(LATE)
    await work("before the cancel")
    step.cancel()
    waiting: Any = step
    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def by_gather() -> None:
    both = asyncio.gather(tidy(LATE), tidy(2 * LATE))
    await work("before the cancel")
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


async def by_several_cancels() -> None:
    step = tidy(LATE)
    await work("before the cancel")
    step.cancel()
    await work("between two cancels")
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step


CANCELS = (
    by_timeout,
    by_cancel,
    by_wait,
    by_gather,
    by_several_cancels,
    by_timeout_of_an_entrypoint,
    by_cancel_of_an_entrypoint,
)


@pytest.mark.parametrize("cancelling", CANCELS)
@pytest.mark.parametrize("before", [True, False])
def test_what_ends_while_a_cancelled_step_cleans_up_does_so_in_a_replay(
    any_way: Way, cancelling: Callable[[], Awaitable[None]], before: bool
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        order: list[str] = []

        async def first() -> None:
            await cancelling()
            order.append("cancelled")
            await join(order)

        async def second() -> None:
            await work("a", LATE / 4 if before else LATE * 2)
            await work("b", LATE / 4)
            order.append("worked")
            await join(order)

        await asyncio.gather(first(), second())
        asked = interrupt("go on?")
        return str(await join([*order, asked]))

    any_way.begin(flow)
    answer(any_way, "go on?")

    if cancelling is by_several_cancels:  # the second one ends the clean-up, somewhere between
        assert any_way.result in ("worked cancelled <go on?>", "cancelled worked <go on?>")
    else:
        first, second = ("worked", "cancelled") if before else ("cancelled", "worked")
        assert any_way.result == f"{first} {second} <go on?>"


@pytest.mark.parametrize("seconds", [0.0, 0.1])
@pytest.mark.parametrize(
    ("step", "end"), [(stubborn, "saved"), (clumsy, "cleaning up failed")], ids=["value", "error"]
)
def test_a_step_that_is_cancelled_comes_to_its_own_end_in_a_replay(
    any_way: Way, step: Task[[float], str], end: str, seconds: float
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        begun = step(seconds)
        await work("before the cancel")
        assert begun.cancel()
        try:
            found = await begun
        except ValueError as error:
            found = str(error)
        return await told_and_asked(found)

    any_way.begin(flow)
    answer(any_way, "go on?")

    assert any_way.result == f"{end} <go on?>"


def test_a_step_within_a_time_limit_that_returns_late_does_so_in_a_replay(any_way: Way) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        async with asyncio.timeout(0.05):
            found = await stubborn(0.1)
        return await told_and_asked(found)

    any_way.begin(flow)
    answer(any_way, "go on?")

    assert any_way.result == "saved <go on?>"


@pytest.mark.parametrize("limited", [True, False])
def test_an_entrypoint_that_returns_although_it_is_cancelled_does_so_in_a_replay(
    any_way: Way, limited: bool
) -> None:
    @entrypoint()
    async def flow(_: str) -> str:
        if limited:
            async with asyncio.timeout(0.05):
                found = await stubborn_child.ainvoke(0.1)
        else:
            child = asyncio.create_task(stubborn_child.ainvoke(0.1))
            await work("before the cancel")
            child.cancel()
            found = await child
        return await told_and_asked(found)

    any_way.begin(flow)
    answer(any_way, "go on?")

    assert any_way.result == "saved <go on?>"


def test_a_step_that_is_cancelled_again_as_its_value_is_on_its_way_is_cancelled_in_a_replay(
    any_way: Way,
) -> None:
    """It outlives one request and not the next: a replay counts them."""

    @entrypoint()
    async def flow(_: str) -> str:
        step, order = stubborn(0.1), list[str]()

        async def beside() -> None:
            for name in ("a", "b", "c", "d"):
                order.append(await work(name, 0.04))

        async def waiting() -> None:
            try:
                order.append(await step)
            except asyncio.CancelledError:
                order.append("cancelled")

        both = asyncio.gather(beside(), waiting())
        await work("before the cancel")
        step.cancel()
        await both
        step.cancel()
        await join(order)
        asked = interrupt("go on?")
        return str(await join([order[-1], str("saved" in order), asked]))

    any_way.begin(flow)
    answer(any_way, "go on?")

    assert any_way.result == "d True <go on?>"
