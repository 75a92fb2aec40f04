"""Plans: what is to be done, as a generator without IO, and the two ways to follow one.

A plan yields what it wants done, is sent the answer or thrown the error, and returns its outcome.
So sync and async code share it, and tests follow it without doing anything.
"""

from __future__ import annotations

__all__ = ["afollow", "follow"]

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

W = TypeVar("W")
T = TypeVar("T")


def follow(plan: Generator[W, Any, T], do: Callable[[W], Any]) -> T:
    """Follow a plan in this thread, with `do` to do what it wants."""
    try:
        wanted = next(plan)
        while True:
            try:
                answer = do(wanted)
            except BaseException as error:
                wanted = plan.throw(error)
            else:
                wanted = plan.send(answer)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome


async def afollow(plan: Generator[W, Any, T], do: Callable[[W], Awaitable[Any]]) -> T:
    """Follow a plan on the running loop, with `do` to do what it wants."""
    try:
        wanted = next(plan)
        while True:
            try:
                answer = await do(wanted)
            except BaseException as error:
                wanted = plan.throw(error)
            else:
                wanted = plan.send(answer)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
