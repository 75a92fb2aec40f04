"""Steps of the tests about waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from penstock.runtime import asleep, interrupt, task
from penstock.runtime.func.task import Task
from tests.runtime.flows import Calls


@task
async def work(name: str, seconds: float = 0.02) -> str:
    """A step that takes some time and waits for nobody."""
    await asyncio.sleep(seconds)
    return name


@task
def block(name: str, seconds: float = 0.02) -> str:
    """A step in a thread."""
    time.sleep(seconds)
    return name


@task
async def ask(question: str) -> str:
    """A step that asks."""
    return str(interrupt(question))


@task
async def fail(name: str, seconds: float = 0.02) -> str:
    """A step that fails."""
    await asyncio.sleep(seconds)
    raise ValueError(name)


@task
async def join(parts: Any) -> str:
    """A step whose arguments tell in which order things came."""
    return " ".join(parts)


def counted(calls: Calls, seconds: float = 0.02) -> Task[[str], str]:
    """Return a step that notes each of its executions, as it begins."""

    @task
    async def pay(name: str) -> str:
        calls(name)
        await asyncio.sleep(seconds)
        return name

    return pay


def counted_in_thread(calls: Calls, seconds: float = 0.02) -> Task[[str], str]:
    """As `counted`, in a thread."""

    @task
    def pay(name: str) -> str:
        calls(name)
        time.sleep(seconds)
        return name

    return pay


# -- branches -----------------------------------------------------------------------------------


async def first_of(*branches: Coroutine[Any, Any, Any]) -> Any:
    """Return what the first branch comes to, and cancel the others."""
    tasks = [asyncio.ensure_future(branch) for branch in branches]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in pending:
        each.cancel()
    return next(each for each in tasks if each in done).result()


async def slept(seconds: float, value: str = "slept") -> str:
    await asleep(seconds)
    return value


async def working(name: str, seconds: float) -> str:
    return await work(name, seconds)


async def asking(question: str) -> str:
    return str(interrupt(question))
