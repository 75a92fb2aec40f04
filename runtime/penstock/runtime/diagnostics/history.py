"""What a run and its steps did when: tries, waits and attempts, made of its events."""

from __future__ import annotations

__all__ = ["AttemptStart", "History", "Span", "SpanKind", "history"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from penstock.runtime.diagnostics.error_text import error_text
from penstock.runtime.diagnostics.run_events import RunEvent
from penstock.runtime.types.run import RunStatus


class SpanKind(StrEnum):
    """What happened during a span of time."""

    WORK = "work"
    """A try that succeeded, waits, or is under way."""
    FAILED = "failed"
    """A try that failed."""
    LOST = "lost"
    """A try that was lost with its attempt."""
    QUEUE = "queue"
    """A wait for a worker."""
    ANSWER = "answer"
    """A wait for an answer."""
    RETRY = "retry"
    """A wait before the next try."""
    TIMER = "timer"
    """A wait for a time."""
    STEPS = "steps"
    """A wait for steps on other queues."""


WAITS: Final = frozenset(SpanKind) - {SpanKind.WORK, SpanKind.FAILED, SpanKind.LOST}


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in which a run or a step did one thing."""

    kind: SpanKind
    started_at: datetime
    ended_at: datetime | None
    """None while it is not over."""
    note: str = ""
    """The error of a failed try, or how a lost one was lost."""


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """The begin of an attempt of a run."""

    number: int
    at: datetime
    cause: str
    """Why there is this attempt: how the worker of the one before it died; empty for the first."""


@dataclass(frozen=True, slots=True)
class History:
    """The spans of a run, in order of time."""

    body: Sequence[Span]
    """Of the run itself."""
    steps: Mapping[str, Sequence[Span]]
    """Of each step, by its id."""
    attempts: Sequence[AttemptStart]


@dataclass(slots=True)
class _Line:
    """The spans of one step, or of the body, as they are put together."""

    spans: list[Span] = field(default_factory=list[Span])
    kind: SpanKind | None = None
    """What it is doing now; None before the begin and after the end."""
    since: datetime = datetime.min
    until: datetime | None = None
    """When a wait before a retry ends, if no event says that it has."""

    def begin(self, kind: SpanKind, time: datetime, until: datetime | None = None) -> None:
        if self.kind is not None:
            self.end(time)
        self.kind, self.since, self.until = kind, time, until

    def end(self, time: datetime, kind: SpanKind | None = None, note: str = "") -> None:
        """End what it is doing; `kind` says what the try has become."""
        if self.kind is None:
            return
        if self.kind in WAITS:
            self.spans.append(Span(self.kind, self.since, time))
        else:
            self.spans.append(Span(kind or self.kind, self.since, time, note))
        self.kind = self.until = None

    def wake(self, time: datetime) -> None:
        """Begin the next try where a short wait before it has ended: no event says so."""
        if self.kind is SpanKind.RETRY:
            ended = min(self.until or time, time)
            self.end(ended)
            self.begin(SpanKind.WORK, ended)

    def left(self) -> list[Span]:
        """Return all spans, the one that is not over last."""
        is_open = self.kind is not None
        return (
            [*self.spans, Span(self.kind, self.since, None)]
            if is_open and self.kind
            else self.spans
        )


def history(events: Iterable[RunEvent], deaths: Sequence[str] = ()) -> History:
    """Put spans together from the events of a run.

    `deaths` says how workers died with it, the first of them first.
    """
    body, attempts = _Line(), list[AttemptStart]()
    steps: dict[str, _Line] = {}
    for event in events:
        time, data = datetime.fromtimestamp(event["time"], UTC), event["data"]
        if event["mode"].startswith("step.") and data["id"]:
            _apply_to_step(steps.setdefault(data["id"], _Line()), event["mode"], data, time)
            continue
        if event["mode"] == "run.started":
            number = int(event.get("attempt", 1))
            if not attempts or number > attempts[-1].number:
                cause = deaths[number - 2] if 0 <= number - 2 < len(deaths) else ""
                attempts.append(AttemptStart(number, time, cause))
                _lose(body, steps, time, cause)
        _apply_to_body(body, event["mode"], data, time)
    lines = {step_id: line.left() for step_id, line in steps.items()}
    return History(body.left(), lines, attempts)


def _lose(body: _Line, steps: Mapping[str, _Line], time: datetime, cause: str) -> None:
    """End what the attempt before had begun."""
    for line in (body, *steps.values()):
        if line.kind is SpanKind.WORK:
            line.end(time, SpanKind.LOST, cause or "lost with its attempt")


def _apply_to_body(body: _Line, mode: str, data: Any, time: datetime) -> None:
    match mode:
        case "run.queued" | "run.resumed":
            body.begin(SpanKind.QUEUE, time)
        case "run.started":
            body.begin(SpanKind.WORK, time)
        case "run.interrupted":
            body.begin(SpanKind.ANSWER, time)
        case "run.suspended" if body.kind is not SpanKind.ANSWER:
            body.begin(SpanKind.STEPS if data.get("steps") else SpanKind.TIMER, time)
        case "run.finished":
            is_failed = data.get("status") == RunStatus.FAILED
            body.end(time, SpanKind.FAILED if is_failed else None, str(data.get("reason") or ""))
        case _:
            pass


def _apply_to_step(line: _Line, mode: str, data: Mapping[str, Any], time: datetime) -> None:
    match mode:
        case "step.started":
            line.begin(SpanKind.WORK, time)
        case "step.retry" if "error" in data:
            line.wake(time)
            line.end(time, SpanKind.FAILED, error_text(data["error"]))
            delay = timedelta(seconds=float(data.get("delay") or 0))
            line.begin(SpanKind.RETRY, time, time + delay)
        case "step.retry":
            line.end(time, SpanKind.LOST, "lost with its attempt")
        case "step.interrupted":
            line.wake(time)
            line.begin(SpanKind.ANSWER, time)
        case "step.finished":
            line.wake(time)
            error = error_text((data.get("outcome") or {}).get("error"))
            line.end(time, SpanKind.FAILED if error else None, error)
        case _:
            pass
