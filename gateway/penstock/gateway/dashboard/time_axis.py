"""The axis of a timeline: moments as places, with long waits of the whole run drawn shorter."""

from __future__ import annotations

__all__ = ["WIDE", "Gap", "TimeAxis", "axis_of"]

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from penstock.runtime.diagnostics.history import WAITS, Span

WIDE: Final = 1000.0
"""Units of the axis."""

_SHARE: Final = 0.125
"""How long a wait is drawn at most, as a share of the time in which the run works."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A wait that is drawn shorter than it was."""

    start: float
    """Seconds from the beginning of the axis."""
    seconds: float
    drawn: float
    """The seconds that it is drawn as."""


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """From the beginning of a run to its end, or to now."""

    start: datetime
    seconds: float
    gaps: Sequence[Gap] = ()

    def place(self, moment: datetime) -> float:
        """Return where a moment is, from 0 to `WIDE`."""
        at = min(max((moment - self.start).total_seconds(), 0.0), self.seconds)
        return round(self._drawn(at) / max(self._drawn(self.seconds), 1e-9) * WIDE, 1)

    def _drawn(self, at: float) -> float:
        """Return how many seconds are drawn before one."""
        cut = 0.0
        for gap in self.gaps:
            inside = min(max(at - gap.start, 0.0), gap.seconds)
            cut += inside * (1 - gap.drawn / gap.seconds)
        return at - cut


def axis_of(start: datetime, end: datetime, body: Sequence[Span]) -> TimeAxis:
    """Make the axis of a run from what the run itself did."""
    seconds = max((end - start).total_seconds(), 0.001)
    waits = [
        (
            (span.started_at - start).total_seconds(),
            ((span.ended_at or end) - start).total_seconds(),
        )
        for span in body
        if span.kind in WAITS
    ]
    work = seconds - sum(max(to - since, 0.0) for since, to in waits)
    longest = work * _SHARE
    gaps = [
        Gap(since, to - since, longest) for since, to in waits if work > 0 and to - since > longest
    ]
    return TimeAxis(start, seconds, gaps)
