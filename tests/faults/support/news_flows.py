"""Flows that ask, or have steps performed elsewhere, while another branch is at work."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.runtime import entrypoint, interrupt, task
from penstock.runtime.errors import RunError
from tests.faults.support.flows import executed


@task
async def work(name: str, seconds: float = 0.0) -> str:
    executed(name=f"{name} begins")
    await asyncio.sleep(seconds)
    executed(name=name)
    return name


@task
def asks_in_thread(question: str) -> str:
    return str(interrupt(question))


@task(queue="far")
async def far(seconds: float) -> str:
    executed(name="far")
    await asyncio.sleep(seconds)
    return "far"


@task(queue="far")
async def fails(seconds: float) -> str:
    await asyncio.sleep(seconds)
    raise ValueError("far away")


async def asking(question: str) -> str:
    return await work(f"{question} got {interrupt(question)}")


async def beyond() -> str:
    return await work(f"{await far(0.5)} is back")


async def failing() -> str:
    try:
        return await fails(0.3)
    except ValueError as error:
        return await work(f"failed: {error}")


async def losing() -> str:
    try:
        return await far(3600.0)
    except RunError:
        return await work("lost")


@entrypoint()
async def questions(seconds: float) -> list[str]:
    """Asks twice beside a step that takes a while."""
    return list(await asyncio.gather(asking("A"), asking("B"), work("long", seconds)))


@entrypoint()
async def question(seconds: float) -> list[str]:
    """Asks once beside a step that takes a while."""
    return list(await asyncio.gather(asking("A"), work("long", seconds)))


@entrypoint()
async def in_thread(seconds: float) -> list[str]:
    """Asks in a thread beside a step that takes a while."""
    return list(await asyncio.gather(asks_in_thread("A"), work("long", seconds)))


@entrypoint()
async def race(seconds: float) -> str:
    """Gives up a question, and goes on."""
    asks = asyncio.ensure_future(asking("A"))
    await work("short", 1.5)
    asks.cancel()
    return await work("long", seconds)


@entrypoint()
async def limited(seconds: float) -> list[str]:
    """Has a question whose time is over long before the run is."""

    async def asking_for_a_while() -> str:
        return await work(f"A got {interrupt('A', timeout=1.5, default='nothing')}")

    return list(await asyncio.gather(asking_for_a_while(), work("long", seconds)))


@entrypoint()
async def away(seconds: float) -> list[str]:
    """Has steps performed elsewhere beside one that takes a while."""
    return list(await asyncio.gather(beyond(), failing(), work("long", seconds)))


@entrypoint()
async def called_off(seconds: float) -> list[str]:
    """Has a step elsewhere that comes to nothing."""
    return list(await asyncio.gather(losing(), work("long", seconds)))


@entrypoint()
async def ordered(seconds: float) -> list[Any]:
    """Makes something of the order in which things come, then asks."""
    came: list[str] = []

    async def note(name: str, awaited: Any) -> None:
        await awaited
        came.append(name)
        await work(" ".join(came))

    await asyncio.gather(
        note("A", asking("A")),
        note("far", far(1.0)),
        note("B", asking("B")),
        note("long", work("long", seconds)),
    )
    return [came, interrupt("end")]
