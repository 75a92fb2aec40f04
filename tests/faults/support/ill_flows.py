"""Flows that fare ill in other ways: they fail oddly, try again, say a lot, let no thread run."""

from __future__ import annotations

import asyncio
import ctypes
import sys
import threading
from typing import Any, Final

from penstock.runtime import (
    RetryPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)
from tests.faults.support.flows import Work, executed, step


@entrypoint()
def hold(seconds: int) -> list[int]:
    """Holds the interpreter's lock in its first attempt, as native code may: no thread gets on."""
    executed()
    before = step(1).result()
    if get_runtime().execution_info.attempt == 1:
        ctypes.PyDLL(None).sleep(seconds)
    return [before, step(2).result()]


class Fatal(BaseException):
    """Not an Exception."""


class Unpicklable(Exception):
    """Nothing that can be copied."""

    def __reduce__(self) -> Any:
        raise TypeError("not to be copied")


def fall(depth: int) -> int:
    return fall(depth + 1) + 1


def give_up(kind: str) -> None:
    """Raise what no step should."""
    match kind:
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "cancelled":
            raise asyncio.CancelledError
        case "fatal":
            raise Fatal("no Exception")
        case "unpicklable":
            raise Unpicklable(threading.Lock())
        case "large":
            raise ValueError("x" * 1_000_000)
        case "deep":
            fall(0)
        case _:
            raise ExceptionGroup("several", [ValueError("one"), OSError(5, "two")])


@task
def raising(kind: str) -> None:
    give_up(kind)


@task
async def araising(kind: str) -> None:
    give_up(kind)


@entrypoint()
def trouble(kind: str) -> None:
    raising(kind).result()


@entrypoint()
async def atrouble(kind: str) -> None:
    await araising(kind)


ONCE = RetryPolicy(initial_interval=0.01, max_attempts=1, retry_on=ConnectionError)
PATIENT = RetryPolicy(initial_interval=1.5, jitter=False, max_attempts=3, retry_on=ConnectionError)
AGES = RetryPolicy(initial_interval=1e9, max_interval=1e9, retry_on=ConnectionError)


def away() -> None:
    executed()
    raise ConnectionError("away")


POLICIES: Final = {"once": ONCE, "patient": PATIENT, "ages": AGES}
TRYING = {name: task(away, name=name, retry_policy=each) for name, each in POLICIES.items()}


@entrypoint()
def unreachable(policy: str) -> None:
    TRYING[policy]().result()


@entrypoint()
def chatter(count: int) -> int:
    """Says so much that Redis has to keep up."""
    executed()
    write = get_stream_writer()
    for number in range(count):
        write(number)
    return count


@entrypoint()
def march(work: Work) -> Any:
    """Takes its steps, asks, and takes one more."""
    executed()
    for number in range(work.steps):
        step(number, work.seconds).result()
    answer = interrupt("on?")
    step(work.steps).result()
    return answer


@entrypoint()
def twice(_: None) -> list[Any]:
    """Asks, and asks again."""
    return [interrupt("first?"), interrupt("second?")]
