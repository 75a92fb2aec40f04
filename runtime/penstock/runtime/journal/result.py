"""The result of one attempt of a run."""

from __future__ import annotations

__all__ = ["Result", "Status"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from penstock.runtime.types.interrupt import Interrupt

Status: TypeAlias = Literal["completed", "failed", "cancelled", "suspended", "handed over"]


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended."""

    status: Status
    value: Any = None
    error: BaseException | None = None
    interrupts: Sequence[Interrupt] = ()
    is_cached: bool = False
    saves: bool = True
    """Whether its value is kept for the next run of the thread."""
