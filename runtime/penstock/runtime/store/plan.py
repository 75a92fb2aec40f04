"""The requests of a store, as plans without IO: each yields requests and is sent replies."""

from __future__ import annotations

__all__ = ["Commands", "Plan", "Request", "Texts", "Vector"]

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from penstock.publisher.redis.script import Argument, Call

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
