"""What a store asks of the world, as plans without IO: each yields requests and is sent replies."""

from __future__ import annotations

__all__ = ["Commands", "Plan", "Request", "Texts", "Vector", "afollow", "follow"]

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from penstock.publisher.script import Argument, Call

T = TypeVar("T")

Vector: TypeAlias = Sequence[float]


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands that only read, for one round trip; the reply is the list of their replies."""

    rows: tuple[tuple[Argument, ...], ...]


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts to be embedded; the reply is the list of their vectors."""

    texts: tuple[str, ...]
    query: bool = False


Request: TypeAlias = Call | Commands | Texts
"""All may be made twice."""

Plan: TypeAlias = Generator[Request, Any, T]


def follow(plan: Plan[T], ask: Callable[[Request], Any]) -> T:
    """Follow a plan, with `ask` to make its requests."""
    try:
        request = next(plan)
        while True:
            request = plan.send(ask(request))
    except StopIteration as stop:
        value: T = stop.value
        return value


async def afollow(plan: Plan[T], ask: Callable[[Request], Awaitable[Any]]) -> T:
    """Follow a plan on the running loop."""
    try:
        request = next(plan)
        while True:
            request = plan.send(await ask(request))
    except StopIteration as stop:
        value: T = stop.value
        return value
