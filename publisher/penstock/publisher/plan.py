"""Plans: operations as generators without IO, and the two ways to follow one.

A plan yields requests, is sent each reply or thrown each error, and returns its outcome. So sync
and async code share it, and tests follow it without IO.
"""

from __future__ import annotations

__all__ = ["afollow", "follow"]

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

W = TypeVar("W")
T = TypeVar("T")


def follow(plan: Generator[W, Any, T], do: Callable[[W], Any]) -> T:
    """Follow a plan in this thread; `do` executes its requests."""
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
    """Follow a plan on the running loop; `do` executes its requests."""
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
