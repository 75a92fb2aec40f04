"""Steps as bars on one axis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.gateway.dashboard.timeline import DRAWN, FOLDED, WIDE, timeline
from penstock.runtime.diagnostics.steps import Step, StepStatus
from penstock.runtime.types.run import Run, RunStatus

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def run(status: RunStatus = RunStatus.COMPLETED, end: float | None = 10) -> Run:
    finished = None if end is None else at(end)
    return Run("r", "t", "flow", status, "q", 1, 0, "", "", at(-5), START, finished)


def step(number: int, start: float, end: float | None, **options: Any) -> Step:
    status = StepStatus.COMPLETED if end is not None else StepStatus.RUNNING
    finished = None if end is None else at(end)
    fields: dict[str, Any] = {"status": status, "started_at": at(start), "finished_at": finished}
    return Step(f"task:{number}", "task", **(fields | options))


def test_a_bar_stands_where_its_step_was() -> None:
    drawn = timeline(run(), [step(0, 0, 5), step(1, 5, 10)])

    assert [(bar.left, bar.width, bar.seconds) for bar in drawn.bars] == [
        (0.0, 500.0, 5.0),
        (500.0, 500.0, 5.0),
    ]
    assert drawn.seconds == 10


def test_a_short_step_can_be_seen_at_either_end() -> None:
    bars = timeline(run(), [step(0, 0, 0), step(1, 10, 10)]).bars

    assert all(bar.width > 0 for bar in bars)
    assert bars[1].left + bars[1].width == WIDE


def test_a_step_under_way_reaches_to_now() -> None:
    drawn = timeline(run(RunStatus.RUNNING, None), [step(0, 5, None)], now=at(20))

    (bar,) = drawn.bars
    assert (bar.left, bar.width, bar.seconds) == (250.0, 750.0, 15.0)


def test_a_step_that_has_not_begun_has_no_bar() -> None:
    queued = step(0, 0, None, status=StepStatus.QUEUED, started_at=None)

    (bar,) = timeline(run(RunStatus.SUSPENDED, None), [queued], now=at(1)).bars

    assert (bar.width, bar.seconds) == (0.0, None)


def test_many_steps_of_a_task_share_a_row_but_those_that_failed() -> None:
    steps = [step(number, number, number + 1) for number in range(FOLDED)]
    failed = step(99, 1, 2, status=StepStatus.FAILED)

    drawn = timeline(run(), [*steps, failed])

    assert [bar.count for bar in drawn.bars] == [FOLDED, 1]
    assert (drawn.bars[0].left, drawn.bars[0].width) == (0.0, WIDE)


def test_rows_have_a_limit_and_the_rest_is_counted() -> None:
    steps = [step(number, 0, 1, depth=number % 2) for number in range(DRAWN + 7)]

    drawn = timeline(run(), steps)

    assert len(drawn.bars) == DRAWN
    assert drawn.left_out == 7
