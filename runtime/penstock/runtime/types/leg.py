"""A leg of a run: what it does from its begin, or from an answer on, until it asks or is over."""

from __future__ import annotations

__all__ = ["Leg", "RunLegs", "leg_place"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from penstock.runtime.types.run import Run, RunStatus

_MARK: Final = "."
"""Stands between a run's id, which has no such character, and the number of a leg."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a run. Each answer begins another one, and so does the resumption of a failure."""

    run_id: str
    number: int
    """From 1 on."""
    after: int
    """The seq of the event before its first one."""
    created_at: datetime
    request: Mapping[str, Any]
    """What the request asked that began it; empty unless it came over HTTP."""
    end: int | None = None
    """The seq of the last event before the next leg; None for the newest leg."""
    left_as: RunStatus | None = None
    """The status of the run when the next leg began; None for the newest leg."""
    left_at: datetime | None = None
    """When the next leg began."""

    @property
    def leg_id(self) -> str:
        """The id: of the first leg that of the run."""
        return self.run_id if self.number == 1 else f"{self.run_id}{_MARK}{self.number}"


@dataclass(frozen=True, slots=True)
class RunLegs:
    """A run with its legs at one moment, the oldest first."""

    run: Run
    legs: Sequence[Leg]
    config: Mapping[str, Any]
    """What the run was enqueued with."""
    durability: str


def leg_place(leg_id: str) -> tuple[str, int]:
    """Read the id of a leg: the run's id, and the number of the leg; 0 if it is none."""
    run_id, mark, number = leg_id.partition(_MARK)
    if not mark:
        return run_id, 1
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return run_id, int(number) if is_number and int(number) > 1 and number[0] != "0" else 0
