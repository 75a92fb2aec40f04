"""The steps of a run as rows on one axis of time: tries, waits, attempts."""

from __future__ import annotations

__all__ = ["DRAWN", "FOLDED", "MANY", "Bar", "Mark", "Piece", "Timeline", "timeline"]

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from penstock.gateway.dashboard.time_axis import WIDE, TimeAxis, axis_of
from penstock.runtime.diagnostics.duration import duration
from penstock.runtime.diagnostics.history import WAITS, AttemptStart, History, Span, SpanKind
from penstock.runtime.diagnostics.steps import Step, StepStatus
from penstock.runtime.types.run import Run, RunStatus

DRAWN: Final = 500
"""Rows of a page."""

FOLDED: Final = 10
"""Steps of one task, one after the other, from which on they share a row."""

MANY: Final = 200
"""Steps from which on those of one task share a row wherever they stand, and failed ones too."""

SLOWEST: Final = 10
"""Steps of a folded row that are named, the longest."""

_MARKS: Final = 20
"""Attempts that are drawn, the last ones."""

_SLIM: Final = 4.0
"""Units of the shortest piece, so that it can be seen."""

_UNDER_WAY: Final = (StepStatus.RUNNING, StepStatus.WAITING, StepStatus.RETRYING, StepStatus.QUEUED)

_SENTENCES: Final[Mapping[SpanKind, str]] = {
    SpanKind.WORK: "at work for",
    SpanKind.FAILED: "failed after",
    SpanKind.LOST: "lost after",
    SpanKind.QUEUE: "waited for a worker for",
    SpanKind.ANSWER: "waited for an answer for",
    SpanKind.RETRY: "waited for its next try for",
    SpanKind.TIMER: "waited for its time for",
    SpanKind.STEPS: "waited for steps elsewhere for",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a row: a try, or a wait."""

    kind: str
    """A kind of span, or the status of the step in its last try."""
    left: float
    width: float
    title: str
    is_wait: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A row: a step, or several of one task."""

    step: Step
    """The first of them."""
    count: int
    pieces: Sequence[Piece]
    seconds: float | None
    """None if it is not known, or the step has not begun."""
    spans: Sequence[Span] = ()
    slowest: Sequence[Step] = ()
    """Of several, those that took longest."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning of an attempt that is not the first."""

    attempt: AttemptStart
    left: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The rows that are drawn, and how many steps are not."""

    body: Sequence[Piece]
    """What the run itself did."""
    marks: Sequence[Mark]
    bars: Sequence[Bar]
    seconds: float
    """How long the axis is."""
    is_cut: bool
    """Whether long waits are drawn shorter than they were."""
    left_out: int


def timeline(
    run: Run,
    steps: Sequence[Step],
    past: History | None = None,
    now: datetime | None = None,
    wanted: Collection[str] = (),
) -> Timeline:
    """Place steps on the axis from the beginning of a run to its end, or to now.

    The steps `wanted`, by their ids, have rows of their own, whatever their neighbours are.
    """
    past = past or History((), {}, ())
    end = run.finished_at or now or datetime.now(UTC)
    first = past.body[0].started_at if past.body else run.started_at or run.created_at
    axis = axis_of(first, end, past.body)
    groups = list(_groups(steps, wanted))
    drawing = _Drawing(axis, end, past)
    marks = [Mark(each, axis.place(each.at)) for each in past.attempts if each.number > 1]
    return Timeline(
        drawing.pieces(past.body, _BODY[run.status]),
        marks[-_MARKS:],
        [drawing.bar(group) for group in groups[:DRAWN]],
        axis.seconds,
        bool(axis.gaps),
        sum(map(len, groups[DRAWN:])),
    )


_BODY: Final[Mapping[RunStatus, str]] = {
    each: "completed" if each is RunStatus.COMPLETED else "running" for each in RunStatus
}


def _groups(steps: Sequence[Step], wanted: Collection[str]) -> Iterator[list[Step]]:
    """Give each step, or many of one task together if all is well with them."""

    def kind(step: Step) -> tuple[object, ...]:
        own = step.step_id if step.step_id in wanted else ""
        path = tuple(part.partition(":")[0] for part in step.step_id.split("/"))
        return path, step.name, step.depth, step.status, own

    if len(steps) < MANY:
        found = [list(group) for _, group in groupby(steps, kind)]
    else:
        kinds: dict[tuple[object, ...], list[Step]] = {}
        for step in steps:
            kinds.setdefault(kind(step), []).append(step)
        found = list(kinds.values())
    for group in found:
        is_well = group[0].status is StepStatus.COMPLETED or len(steps) >= MANY
        if is_well and len(group) >= FOLDED:
            yield group
        else:
            yield from ([each] for each in group)


@dataclass(frozen=True, slots=True)
class _Drawing:
    axis: TimeAxis
    end: datetime
    past: History

    def bar(self, group: Sequence[Step]) -> Bar:
        step = group[0]
        if len(group) > 1:
            return self._folded(group)
        spans = self.past.steps.get(step.step_id, ()) or self._whole(step)
        kind = "running" if step.status in _UNDER_WAY else str(step.status)
        is_away = step.status in (StepStatus.WAITING, StepStatus.QUEUED)
        if is_away and spans and spans[-1].kind is SpanKind.WORK and spans[-1].ended_at is None:
            spans = [*spans[:-1], Span(SpanKind.STEPS, spans[-1].started_at, None)]
        is_open = step.status in _UNDER_WAY
        over = self.end if is_open else step.finished_at
        took = None
        if step.started_at is not None and over is not None:
            took = (over - step.started_at).total_seconds()
        return Bar(step, 1, self.pieces(spans, kind), took, spans)

    def _whole(self, step: Step) -> list[Span]:
        """Return the span of a step whose events are no longer kept."""
        if step.started_at is None:
            return []
        return [Span(SpanKind.WORK, step.started_at, step.finished_at)]

    def _folded(self, group: Sequence[Step]) -> Bar:
        starts = [each.started_at for each in group if each.started_at is not None]
        ends = [each.finished_at for each in group if each.finished_at is not None]
        if not starts:
            return Bar(group[0], len(group), (), None)
        is_open = group[0].status in _UNDER_WAY
        over = self.end if is_open else max(ends, default=min(starts))
        span = Span(SpanKind.WORK, min(starts), over)
        kind = "running" if is_open else str(group[0].status)
        slowest = sorted(group, key=lambda each: each.seconds or 0.0, reverse=True)[:SLOWEST]
        took = (over - min(starts)).total_seconds()
        return Bar(group[0], len(group), self.pieces([span], kind), took, (), slowest)

    def pieces(self, spans: Sequence[Span], last: str) -> list[Piece]:
        """Draw spans; `last` is what the last of those at work has become."""
        working = [at for at, span in enumerate(spans) if span.kind is SpanKind.WORK]
        found: list[Piece] = []
        for at, span in enumerate(spans):
            left, right = (
                self.axis.place(span.started_at),
                self.axis.place(span.ended_at or self.end),
            )
            width = max(right - left, _SLIM)
            seconds = ((span.ended_at or self.end) - span.started_at).total_seconds()
            is_last = bool(working) and at == working[-1]
            kind = last if is_last else "paused" if span.kind is SpanKind.WORK else span.kind
            title = f"{_SENTENCES[span.kind]} {duration(max(seconds, 0.0))}"
            note = f": {span.note}" if span.note else ""
            found.append(
                Piece(kind, min(left, WIDE - width), width, title + note, span.kind in WAITS)
            )
        return found
