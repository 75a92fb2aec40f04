"""The steps of a run as bars on one axis of time."""

from __future__ import annotations

__all__ = ["DRAWN", "Bar", "Timeline", "timeline"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from penstock.runtime.diagnostics.steps import Step, StepStatus
from penstock.runtime.types.run import Run

DRAWN: Final = 500
"""Rows of a page."""

FOLDED: Final = 10
"""Steps of one task, one after the other, from which on they share a row."""

WIDE: Final = 1000.0
"""Units of the axis."""

_SLIM: Final = 4.0
"""Units of the shortest bar, so that it can be seen."""

_UNDER_WAY: Final = (StepStatus.RUNNING, StepStatus.WAITING, StepStatus.RETRYING, StepStatus.QUEUED)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: a step, or several of one task."""

    step: Step
    """The first of them."""
    count: int
    left: float
    width: float
    seconds: float | None
    """None if it is not known, or the step has not begun."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rows that are drawn, and how many steps are not."""

    bars: Sequence[Bar]
    seconds: float
    """How long the axis is."""
    left_out: int


def timeline(run: Run, steps: Sequence[Step], now: datetime | None = None) -> Timeline:
    """Place steps on the axis from the start of a run to its end, or to now."""
    start = run.started_at or run.created_at
    end = run.finished_at or now or datetime.now(UTC)
    seconds = max((end - start).total_seconds(), 0.001)
    groups = list(_groups(steps))
    bars = [_bar(group, start, end, seconds) for group in groups[:DRAWN]]
    return Timeline(bars, seconds, sum(map(len, groups[DRAWN:])))


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Give each step, or many of one task together if all is well with them."""

    def kind(step: Step) -> tuple[str, int, StepStatus]:
        return step.name, step.depth, step.status

    for (_, _, status), found in groupby(steps, kind):
        group = list(found)
        if status is StepStatus.COMPLETED and len(group) >= FOLDED:
            yield group
        else:
            yield from ([each] for each in group)


def _bar(group: Sequence[Step], start: datetime, end: datetime, seconds: float) -> Bar:
    starts = [each.started_at for each in group if each.started_at is not None]
    ends = [each.finished_at for each in group if each.finished_at is not None]
    step = group[0]
    if not starts:
        return Bar(step, len(group), 0.0, 0.0, None)
    begun = min(starts)
    over = end if step.status in _UNDER_WAY else max(ends, default=begun)
    left = _place(begun, start, seconds)
    width = max(_place(over, start, seconds) - left, _SLIM)
    took = (over - begun).total_seconds() if ends or step.status in _UNDER_WAY else None
    return Bar(step, len(group), min(left, WIDE - width), width, took)


def _place(moment: datetime, start: datetime, seconds: float) -> float:
    share = (moment - start).total_seconds() / seconds
    return round(min(max(share, 0.0), 1.0) * WIDE, 1)
