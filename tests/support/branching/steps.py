"""The steps of random programs with branches."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from penstock.runtime import RetryPolicy, get_runtime, interrupt, task
from tests.support.branching.trace import asks, began, ended, known

RETRY: Final = RetryPolicy(
    initial_interval=0.01,
    backoff_factor=1.0,
    jitter=False,
    max_attempts=4,
    retry_on=ConnectionError,
)


NOBODY: Final = "nobody"


class PlannedError(Exception):
    """What a program raises."""


@task
async def step(place: str, ms: int) -> str:
    began(place)
    try:
        await asyncio.sleep(ms / 1000)
    finally:
        ended(place)
    return place


@task
async def tidy(place: str, ms: int, after: int) -> str:
    """A step that takes a while to clean up when it is cancelled."""
    began(place)
    try:
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        await asyncio.sleep(after / 1000)
        raise
    finally:
        ended(place)
    return place


@task
async def stubborn(place: str, ms: int, after: int) -> str:
    """A step that goes on for a while and comes to its value though it is cancelled."""
    began(place)
    try:
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        await asyncio.sleep(after / 1000)
    finally:
        ended(place)
    return place


@task
def thread(place: str, ms: int) -> str:
    began(place)
    time.sleep(ms / 1000)
    ended(place)
    return place


@task
async def ask(place: str) -> str:
    return str(known(place, interrupt(asks(place))))


@task
async def limited(place: str, seconds: float) -> str:
    """Ask, but not for longer than this."""
    return str(known(place, interrupt(asks(place), timeout=seconds, default=NOBODY)))


@task(retry_policy=RETRY)
async def flaky(place: str, times: int) -> str:
    began(place)
    ended(place)
    if get_runtime().execution_info.step_attempt <= times:
        raise ConnectionError("not yet")
    return place


@task
async def failing(place: str, ms: int) -> None:
    began(place)
    try:
        await asyncio.sleep(ms / 1000)
    finally:
        ended(place)
    raise PlannedError(place)


@task(queue="far")
def remote(place: str) -> str:
    began(place)
    ended(place)
    return place


@task
async def join(place: str, parts: Any) -> str:
    """A step whose arguments say in which order things became known."""
    began(place)
    ended(place)
    return joined(parts)


def joined(parts: Any) -> str:
    """What `join` comes to."""
    return f"{type(parts).__name__} {parts!r}"
