"""The workflows that are measured, and RQ's counterpart."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from penstock.runtime import entrypoint, get_stream_writer, interrupt, task

TOKEN: dict[str, Any] = {"token": "hello world", "i": 1, "done": False}


@task
def one(x: int) -> int:
    return x


@task
async def aone(x: int) -> int:
    return x


def in_sequence(count: int) -> int:
    for number in range(count):
        one(number).result()
    return count


def in_parallel(count: int) -> int:
    return len([future.result() for future in [one(number) for number in range(count)]])


async def ain_sequence(count: int) -> int:
    for number in range(count):
        await aone(number)
    return count


async def ain_parallel(count: int) -> int:
    return len(await asyncio.gather(*(aone(number) for number in range(count))))


began: list[float] = []
"""When the first new step of a replay began."""


@task
def mark(x: int) -> int:
    began.append(time.perf_counter())
    return x


def recorded(count: int) -> int:
    in_sequence(count)
    for number in range(1000):
        interrupt(number)
        mark(number).result()
    return count


steps = entrypoint(name="steps")(in_sequence)


@entrypoint()
def noop(x: int) -> int:
    return one(x).result()


@entrypoint()
async def anoop(x: int) -> int:
    return await aone(x)


@entrypoint()
async def first(pause: float) -> None:
    """Say something, then work on, so that no end of the run hurries the first event."""
    get_stream_writer()("first")
    await asyncio.sleep(pause)


@entrypoint()
def tokens(count: int) -> None:
    write = get_stream_writer()
    write(time.perf_counter())
    for _ in range(count):
        write(TOKEN)


@entrypoint()
async def atokens(count: int) -> None:
    write = get_stream_writer()
    write(time.perf_counter())
    for _ in range(count):
        write(TOKEN)


@entrypoint()
async def nap(seconds: float) -> None:
    await asyncio.sleep(seconds)


@task
async def pace(x: int) -> int:
    await asyncio.sleep(0.05)
    return x


@entrypoint()
async def walk(paces: int) -> None:
    """Goes on for as long as it takes, a recorded step every 50 ms."""
    for number in range(paces):
        await pace(number)


def nothing(x: int) -> int:
    """What RQ is given to do."""
    return x


def doze(told: str, seconds: float) -> None:
    """What RQ is given to die over; tells in a file which process it is."""
    Path(told).write_text(str(os.getpid()))
    time.sleep(seconds)
