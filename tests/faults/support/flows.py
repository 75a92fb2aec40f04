"""Flows that the worker processes of these tests execute, and what they leave outside of Redis.

Each execution of a body appends one line to the file that PENSTOCK_TEST_JOURNAL names: the oracle
that Redis's own record is held against.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from penstock.runtime import (
    InMemorySaver,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)


def executed(**more: Any) -> None:
    """Append one line to the journal: who executes which step now."""
    info = get_runtime().execution_info
    line = {
        "run": info.run_id,
        "step": info.step_id,
        "attempt": info.attempt,
        "pid": os.getpid(),
        "time": time.time(),
        **more,
    }
    file = os.open(os.environ["PENSTOCK_TEST_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)


# -- the example of the README ----------------------------------------------------------------


@entrypoint(checkpointer=InMemorySaver())
def main(inputs: dict[str, int]) -> int:
    write = get_stream_writer()
    write("Started processing")
    result = inputs["x"] * 2
    write(f"Result is {result}")
    return result


# -- steps --------------------------------------------------------------------------------------


@task
def step(number: int, seconds: float = 0.0) -> int:
    executed()
    time.sleep(seconds)
    return number


@task
async def astep(number: int, seconds: float = 0.0) -> int:
    executed()
    await asyncio.sleep(seconds)
    return number


class Work(BaseModel):
    """How many steps, and how long each takes."""

    steps: int = 1
    seconds: float = 0.0


@entrypoint()
def steps(work: Work) -> list[int]:
    executed()
    return [step(number, work.seconds).result() for number in range(work.steps)]


@entrypoint()
async def asteps(work: Work) -> list[int]:
    executed()
    return [await astep(number, work.seconds) for number in range(work.steps)]


@entrypoint()
def fan(work: Work) -> list[int]:
    executed()
    return [future.result() for future in [step(n, work.seconds) for n in range(work.steps)]]


@entrypoint()
async def afan(work: Work) -> list[int]:
    executed()
    return list(await asyncio.gather(*(astep(n, work.seconds) for n in range(work.steps))))


@entrypoint()
def talk(work: Work) -> int:
    """Says something before and after each step."""
    executed()
    write = get_stream_writer()
    for number in range(work.steps):
        write(number)
        step(number, work.seconds).result()
    return work.steps


@entrypoint()
async def nap(seconds: float) -> float:
    executed()
    await asyncio.sleep(seconds)
    return seconds


@task
def deeper(levels: int) -> int:
    return 0 if levels == 0 else 1 + deeper(levels - 1).result()


@entrypoint()
def deep(levels: int) -> int:
    return deeper(levels).result()


@entrypoint()
def add(number: int, *, previous: int | None = None) -> int:
    """Adds to what the thread has: shows which runs had an effect on it, and in which order."""
    executed(number=number)
    return (previous or 0) + number


@entrypoint()
def slow_add(number: int, *, previous: int | None = None) -> int:
    """As `add`, in a number of steps long enough to be caught in."""
    executed(number=number)
    for index in range(10):
        step(index, 0.04).result()
    return (previous or 0) + number


# -- questions ----------------------------------------------------------------------------------


@entrypoint()
def ask(question: str) -> Any:
    executed()
    before = step(1).result()
    answer = interrupt(question)
    after = step(2).result()
    return [before, answer, after]


class Approval(BaseModel):
    ok: bool
    note: str = ""


@entrypoint()
def approve(question: str) -> dict[str, Any]:
    executed()
    approval: Approval = interrupt(question, response_schema=Approval)
    return approval.model_dump()


# -- trouble ------------------------------------------------------------------------------------


@entrypoint()
def deadly(kind: str) -> None:
    """Kills the process it runs in."""
    executed()
    step(1).result()
    os.kill(os.getpid(), getattr(signal, kind))
    time.sleep(10)


@entrypoint()
def creeping(_: None) -> None:
    """Kills the process it runs in, one recorded step later each time."""
    executed()
    for number in range(100):
        death(number).result()


@task
def death(number: int) -> None:
    executed()
    if number == get_runtime().execution_info.attempt:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(10)


@entrypoint()
def broken(text: str) -> None:
    raise ValueError(text)


@entrypoint()
def locked(_: None) -> Any:
    """Returns what no codec can write."""
    return threading.Lock()


@task
def lock() -> Any:
    return {"a": [1, threading.Lock()]}


@entrypoint()
def locked_step(_: None) -> Any:
    return lock().result()


@task
def blob(size: int) -> str:
    return "x" * size


@entrypoint()
def large(size: int) -> int:
    return len(blob(size).result())


@entrypoint()
async def blocking(seconds: float) -> float:
    """Blocks the event loop, impolitely."""
    executed()
    time.sleep(seconds)
    await astep(1)
    return seconds


@entrypoint()
def stubborn(seconds: float) -> str:
    """Swallows every Exception that tells it to end."""
    executed()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            step(round(time.monotonic() * 1000)).result()
            time.sleep(0.02)
        except Exception:
            logging.getLogger(__name__).info("not now")
    return "to the end"


@entrypoint()
async def unstoppable(seconds: float) -> str:
    """Swallows its cancellation."""
    executed()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            continue
    return "to the end"


# -- ordinary RQ jobs ---------------------------------------------------------------------------


def multiply(left: int, right: int) -> int:
    return left * right


def divide(left: int, right: int) -> float:
    return left / right


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def spin(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass


def doze(seconds: float, begun: str = os.devnull) -> None:
    Path(begun).touch()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.05)
