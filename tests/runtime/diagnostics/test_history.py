"""Tries, waits and attempts, made of events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from penstock.runtime.diagnostics.history import History, Span, history


def event(time: float, mode: str, attempt: int = 1, **data: Any) -> dict[str, Any]:
    return {"mode": mode, "time": time, "attempt": attempt, "data": data}


def seconds(spans: Any) -> list[tuple[str, float, float | None]]:
    def one(span: Span) -> tuple[str, float, float | None]:
        ended = None if span.ended_at is None else span.ended_at.timestamp()
        return str(span.kind), span.started_at.timestamp(), ended

    return [one(span) for span in spans]


def of_step(*events: dict[str, Any]) -> list[tuple[str, float, float | None]]:
    return seconds(history(events).steps["a:0"])


def test_a_step_without_trouble_is_one_span() -> None:
    spans = of_step(
        event(1, "step.started", id="a:0"), event(3, "step.finished", id="a:0", outcome=None)
    )

    assert spans == [("work", 1, 3)]


def test_a_try_that_failed_is_followed_by_a_wait_and_the_next_try() -> None:
    error = {"type": "builtins.ValueError", "message": "no"}
    found = history(
        [
            event(1, "step.started", id="a:0"),
            event(2, "step.retry", id="a:0", error=error, delay=3),
            event(6, "step.finished", id="a:0"),
        ]
    ).steps["a:0"]

    assert seconds(found) == [("failed", 1, 2), ("retry", 2, 5), ("work", 5, 6)]
    assert found[0].note == "ValueError: no"


def test_a_long_wait_before_a_try_ends_where_the_try_begins() -> None:
    spans = of_step(
        event(1, "step.started", id="a:0"),
        event(2, "step.retry", id="a:0", error={"type": "E"}, delay=100),
        event(110, "step.started", id="a:0"),
    )

    assert spans == [("failed", 1, 2), ("retry", 2, 110), ("work", 110, None)]


def test_a_step_that_failed_and_one_that_asked() -> None:
    failed = event(2, "step.finished", id="a:0", outcome={"error": {"type": "E", "message": "m"}})

    assert of_step(event(1, "step.started", id="a:0"), failed) == [("failed", 1, 2)]
    assert of_step(
        event(1, "step.started", id="a:0"),
        event(2, "step.interrupted", id="a:0"),
        event(9, "step.started", id="a:0"),
    ) == [("work", 1, 2), ("answer", 2, 9), ("work", 9, None)]


def test_an_attempt_whose_worker_died_loses_what_it_had_begun() -> None:
    found: History = history(
        [
            event(0, "run.queued"),
            event(1, "run.started"),
            event(2, "step.started", id="a:0"),
            event(5, "step.retry", 2, id="a:0", void_from=3),
            event(5, "run.started", 2),
            event(6, "step.started", 2, id="a:0"),
            event(7, "step.finished", 2, id="a:0"),
            event(8, "run.finished", 2, status="completed"),
        ],
        ["worker x was killed"],
    )

    assert seconds(found.steps["a:0"]) == [("lost", 2, 5), ("work", 6, 7)]
    assert seconds(found.body) == [("queue", 0, 1), ("lost", 1, 5), ("work", 5, 8)]
    assert found.body[1].note == "worker x was killed"
    assert [(each.number, each.cause) for each in found.attempts] == [
        (1, ""),
        (2, "worker x was killed"),
    ]
    assert found.attempts[1].at == datetime.fromtimestamp(5, UTC)


def test_the_run_waits_for_answers_times_and_steps_elsewhere() -> None:
    def body(*events: dict[str, Any]) -> list[tuple[str, float, float | None]]:
        begun = [event(0, "run.queued"), event(1, "run.started")]
        return seconds(history([*begun, *events]).body)[2:]

    asked = [event(2, "run.interrupted"), event(2, "run.suspended"), event(8, "run.resumed")]
    assert body(*asked, event(9, "run.started")) == [
        ("answer", 2, 8),
        ("queue", 8, 9),
        ("work", 9, None),
    ]
    assert body(event(2, "run.suspended", seconds=5)) == [("timer", 2, None)]
    assert body(event(2, "run.suspended", steps=["a:0"])) == [("steps", 2, None)]


def test_a_run_that_failed_says_why() -> None:
    found = history(
        [event(0, "run.started"), event(1, "run.finished", status="failed", reason="E")]
    )

    assert seconds(found.body) == [("failed", 0, 1)]
    assert found.body[0].note == "E"
