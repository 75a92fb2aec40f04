"""The demo's judgement: what happened decides, and each kind of breach is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from penstock.publisher.event import Event
from penstock.worker.demo.flow import FileReport, Report
from penstock.worker.demo.promises import Evidence, Execution, judge

KILLED, OTHER = 100, 200


def said(seq: int, mode: str, attempt: int = 1, **data: Any) -> Event:
    return Event(seq, "r", "r", mode, (), data, attempt, float(seq))


EVENTS = (
    said(1, "run.queued"),
    said(2, "run.started"),
    said(3, "step.finished", id="count:0"),
    said(4, "run.started", attempt=2),
    said(5, "step.finished", attempt=2, id="count:1"),
    said(6, "run.finished", attempt=2),
)
FILES = (FileReport("a.md", 1, 2, (), ()), FileReport("b.md", 1, 2, (), ()))
REPORT = Report(FILES, (), (), ())
GOOD = Evidence(
    status="completed",
    result=REPORT,
    listed=["a.md", "b.md"],
    expected=REPORT,
    live=EVENTS,
    late=EVENTS,
    returning=EVENTS,
    returns=2,
    executions=(
        Execution("count:0", 1, KILLED),
        Execution("count:1", 1, KILLED),
        Execution("count:1", 2, OTHER),
    ),
    killed_pid=KILLED,
)


def broken(evidence: Evidence) -> set[str]:
    return {promise.text for promise in judge(evidence) if not promise.kept}


def test_all_promises_are_kept() -> None:
    assert broken(GOOD) == set()
    assert GOOD.twice == GOOD.in_flight == {"count:1"}


OUTLIVED = "the run outlived its worker"
FILES_ONCE = "every file analysed exactly once"
COMPUTED = "the report is what a plain loop computes"
NOT_AGAIN = "no recorded step was executed again"
IN_FLIGHT = "only steps in flight ran twice"
IN_ORDER = "each event once, in order"
LATE = "a late subscriber got the same"
LEAVING = "a subscriber that kept leaving too"

AGAIN = (*GOOD.executions, Execution("count:0", 2, OTHER))
DOUBLE = (*EVENTS[:3], replace(EVENTS[2], seq=4), *(replace(e, seq=e.seq + 1) for e in EVENTS[3:]))
TWICE = Report((*FILES, FILES[0]), (), (), ())


@pytest.mark.parametrize(
    ("changes", "breach"),
    [
        ({"status": "failed"}, {OUTLIVED}),
        ({"killed_pid": 0}, {OUTLIVED, IN_FLIGHT}),
        ({"result": TWICE, "expected": TWICE}, {FILES_ONCE}),
        ({"listed": ["a.md"]}, {FILES_ONCE}),
        ({"result": None}, {FILES_ONCE, COMPUTED}),
        ({"expected": Report(FILES, (("x", 1.0),), (), ())}, {COMPUTED}),
        ({"expected": None}, {COMPUTED}),
        ({"executions": AGAIN}, {NOT_AGAIN, IN_FLIGHT}),
        ({"live": DOUBLE, "late": DOUBLE, "returning": DOUBLE}, {NOT_AGAIN}),
        ({"late": EVENTS[:-1]}, {LATE}),
        ({"returning": (*EVENTS[:2], EVENTS[1], *EVENTS[2:])}, {LEAVING}),
        ({"live": EVENTS[1:]}, {IN_ORDER, LATE, LEAVING}),
        ({"live": EVENTS[:-1]}, {IN_ORDER, LATE, LEAVING}),
        ({"live": ()}, {OUTLIVED, NOT_AGAIN, IN_ORDER, LATE, LEAVING}),
    ],
)
def test_a_breach_is_seen(changes: dict[str, Any], breach: set[str]) -> None:
    assert broken(replace(GOOD, **changes)) == breach
