"""Steps as bars on one axis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock.gateway.dashboard.time_axis import WIDE
from penstock.gateway.dashboard.timeline import DRAWN, FOLDED, MANY, Bar, timeline
from penstock.runtime.diagnostics.history import AttemptStart, History, Span, SpanKind
from penstock.runtime.diagnostics.steps import Step, StepStatus
from penstock.runtime.types.run import Run, RunStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(status: RunStatus = RunStatus.COMPLETED, end: float | None = 10) -> Run:
    finished = None if end is None else at(end)
    return Run("r", "t", "flow", status, "q", 1, 0, "", "", at(-5), START, finished)


def step(number: int, start: float, end: float | None, step_id: str = "", **options: Any) -> Step:
    status = StepStatus.COMPLETED if end is not None else StepStatus.RUNNING
    finished = None if end is None else at(end)
    fields: dict[str, Any] = {"status": status, "started_at": at(start), "finished_at": finished}
    return Step(step_id or f"task:{number}", "task", **(fields | options))


def places(bar: Bar) -> list[tuple[str, float, float]]:
    return [(piece.kind, piece.left, piece.width) for piece in bar.pieces]


def test_a_bar_stands_where_its_step_was() -> None:
    drawn = timeline(run(), [step(0, 0, 5), step(1, 5, 10)])

    assert [places(bar) for bar in drawn.bars] == [
        [("completed", 0.0, 500.0)],
        [("completed", 500.0, 500.0)],
    ]
    assert [bar.seconds for bar in drawn.bars] == [5.0, 5.0]
    assert drawn.seconds == 10


def test_a_short_step_can_be_seen_at_either_end() -> None:
    pieces = [bar.pieces[0] for bar in timeline(run(), [step(0, 0, 0), step(1, 10, 10)]).bars]

    assert all(piece.width > 0 for piece in pieces)
    assert pieces[1].left + pieces[1].width == WIDE


def test_a_step_under_way_reaches_to_now() -> None:
    drawn = timeline(run(RunStatus.RUNNING, None), [step(0, 5, None)], now=at(20))

    (bar,) = drawn.bars
    assert places(bar) == [("running", 250.0, 750.0)]
    assert bar.seconds == 15.0


def test_a_step_that_has_not_begun_has_no_piece() -> None:
    queued = step(0, 0, None, status=StepStatus.QUEUED, started_at=None)

    (bar,) = timeline(run(RunStatus.SUSPENDED, None), [queued], now=at(1)).bars

    assert (bar.pieces, bar.seconds) == ([], None)


def test_tries_and_waits_are_pieces_of_a_row() -> None:
    spans = [
        Span(SpanKind.FAILED, at(0), at(2), "ValueError: no"),
        Span(SpanKind.RETRY, at(2), at(6)),
        Span(SpanKind.WORK, at(6), at(10)),
    ]
    past = History((), {"task:0": spans}, ())

    (bar,) = timeline(run(), [step(0, 0, 10, tries=2)], past).bars

    assert places(bar) == [
        ("failed", 0.0, 200.0),
        ("retry", 200.0, 400.0),
        ("completed", 600.0, 400.0),
    ]
    assert [piece.is_wait for piece in bar.pieces] == [False, True, False]
    assert bar.pieces[0].title == "failed after 2.0 s: ValueError: no"


def test_a_step_that_waits_elsewhere_is_drawn_as_waiting() -> None:
    past = History((), {"task:0": [Span(SpanKind.WORK, at(0), None)]}, ())
    waiting = step(0, 0, None, status=StepStatus.WAITING)

    (bar,) = timeline(run(RunStatus.SUSPENDED, None), [waiting], past, now=at(4)).bars

    assert [(piece.kind, piece.is_wait) for piece in bar.pieces] == [("steps", True)]


def test_an_attempt_that_is_not_the_first_is_a_line() -> None:
    attempts = [AttemptStart(1, at(0), ""), AttemptStart(2, at(4), "killed")]

    marks = timeline(run(), [], History((), {}, attempts)).marks

    assert [(mark.attempt.number, mark.left) for mark in marks] == [(2, 400.0)]


def test_long_waits_of_the_whole_run_leave_room_for_its_work() -> None:
    body = [
        Span(SpanKind.WORK, at(0), at(4)),
        Span(SpanKind.ANSWER, at(4), at(1004)),
        Span(SpanKind.WORK, at(1004), at(1008)),
    ]

    drawn = timeline(run(end=1008), [], History(body, {}, ()))

    work, wait, rest = drawn.body
    assert drawn.is_cut
    assert work.width == rest.width
    assert wait.width == pytest.approx(work.width / 4, abs=0.2)
    assert not timeline(run(end=8), [], History(body[:1], {}, ())).is_cut


def test_many_steps_of_a_task_share_a_row_but_those_that_failed() -> None:
    steps = [step(number, number, number + 1) for number in range(FOLDED)]
    failed = step(99, 1, 2, status=StepStatus.FAILED)

    drawn = timeline(run(), [*steps, failed])

    assert [bar.count for bar in drawn.bars] == [FOLDED, 1]
    assert places(drawn.bars[0]) == [("completed", 0.0, WIDE)]


def test_of_many_steps_those_of_a_task_share_a_row_wherever_they_stand() -> None:
    steps = [step(number, 0, 1, step_id=f"{'ab'[number % 2]}:{number}") for number in range(MANY)]

    drawn = timeline(run(), steps, wanted=["a:6"])

    assert [bar.count for bar in drawn.bars] == [MANY // 2 - 1, MANY // 2, 1]
    assert drawn.bars[2].step.step_id == "a:6"


def test_rows_have_a_limit_and_the_rest_is_counted() -> None:
    steps = [step(number, 0, 1, step_id=f"task{number}:0") for number in range(DRAWN + 7)]

    drawn = timeline(run(), steps)

    assert len(drawn.bars) == DRAWN
    assert drawn.left_out == 7
