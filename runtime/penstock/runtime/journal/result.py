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
    is_hosted: bool = False
    """Whether a graph has executed it, which keeps its threads and tells of its end itself."""
