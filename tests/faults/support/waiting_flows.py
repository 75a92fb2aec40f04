"""Flows whose branches wait beside others, for real worker processes."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.runtime import RetryPolicy, asleep, entrypoint, get_runtime, interrupt, task
from tests.faults.support.flows import executed

AGAIN = RetryPolicy(initial_interval=0.6, jitter=False, retry_on=ConnectionError)


@task
async def work(name: str, seconds: float) -> str:
    executed(name=name)
    await asyncio.sleep(seconds)
    return name


@task(retry_policy=AGAIN)
async def flaky(name: str) -> str:
    executed(name=name)
    if get_runtime().execution_info.step_attempt < 2:
        raise ConnectionError("not yet")
    return name


async def asking(name: str, seconds: float) -> str:
    await work(name, seconds)
    return f"{name} got {interrupt(name)}"


async def chain(name: str, seconds: float) -> list[str]:
    return [await work(f"{name}{number}", seconds) for number in range(4)]


async def sleeping(seconds: float) -> str:
    await asleep(seconds)
    return "slept"


@entrypoint()
async def questions(_: str) -> list[str]:
    """Asks in two branches, of which the slower one of the first attempt is not that of others."""
    return list(await asyncio.gather(asking("A", 0.3), asking("B", 0.01)))


@entrypoint()
async def beside(_: str) -> list[Any]:
    """Works in one branch while others ask and sleep."""
    both = chain("a", 0.1), chain("b", 0.05)
    return list(await asyncio.gather(asking("?", 0.0), sleeping(1.0), *both))


@entrypoint()
async def race(seconds: float) -> str:
    """Goes on with the shorter of two sleeps, and leaves the longer one."""
    naps = [asyncio.ensure_future(sleeping(each)) for each in (seconds, 3600.0)]
    await asyncio.wait(naps, return_when=asyncio.FIRST_COMPLETED)
    naps[1].cancel()
    return naps[0].result()


@entrypoint()
async def limited(_: str) -> str:
    """Gives up a sleep that takes too long."""
    try:
        async with asyncio.timeout(0.5):
            return await sleeping(3600.0)
    except TimeoutError:
        return await work("timeout", 0.0)


@entrypoint()
async def here(_: str) -> list[Any]:
    """Has a retry that is due long before its other branch is done."""
    return list(await asyncio.gather(flaky("flaky"), work("long", 2.0)))


@entrypoint()
async def pool(size: int) -> list[Any]:
    """Has three consumers of one queue, and asks at the end."""
    items: asyncio.Queue[int] = asyncio.Queue()
    for number in range(size):
        items.put_nowait(number)
    done: list[str] = []

    async def consume() -> None:
        while not items.empty():
            number = items.get_nowait()
            done.append(await work(str(number), 0.3 if number == 0 else 0.02))

    await asyncio.gather(consume(), consume(), consume())
    return [sorted(done), interrupt("Close the books?")]
