"""OpenTelemetry spans of attempts and their steps; needs `penstock[otel]`."""

from __future__ import annotations

__all__ = ["FRESH", "RunTraces"]

import contextvars
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry import context as otel
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from penstock.runtime.executor.observer import AttemptObserver, ObservedAttempt
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.step_id import ancestry, step_name
from penstock.runtime.journal.trace_context import TraceContext, open_tracer

FRESH: Final = 60.0
"""Seconds after its cause within which an attempt continues the trace of that."""


class RunTraces:
    """Makes a span of each attempt and of each step that it executes; an observer of the executor.

    No span is open while a run waits outside of a process: exporters send a span when it ends, and
    those below it would have no parent until then. So a later attempt begins a trace of its own,
    with a link to the last one.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """

    def __init__(self) -> None:
        self._tracer = open_tracer()

    def began(self, attempt: ObservedAttempt) -> AttemptObserver:
        """Open the span of an attempt, and make it the current one of the calling task."""
        cause, parent, links = TraceContext.read(attempt.trace), otel.Context(), list[Link]()
        if cause is not None:
            if attempt.step_id or _age(cause, attempt) <= FRESH:
                before = NonRecordingSpan(cause.span_context())
                parent = set_span_in_context(before, otel.Context())
            else:
                links = [Link(cause.span_context())]
        name = f"run {attempt.entrypoint}"
        if attempt.step_id:
            name = f"perform {step_name(attempt.step_id)}"
        span = self._tracer.start_span(
            name, parent, SpanKind.CONSUMER, _attributes(attempt), links=links
        )
        within = set_span_in_context(span)
        otel.attach(within)
        return _AttemptTraces(self, span, within)

    def called(self, scripts: Sequence[str], seconds: float) -> None:
        """Ignore round trips: redis-py has spans of its own."""

    def recovered(self, reason: str, number: int) -> None:
        """Ignore recoveries, which are no part of a run."""

    def parked(self, number: int) -> None:
        """Ignore runs that are not taken."""

    def start_step(self, name: str, parent: otel.Context, step_id: str, at: float) -> Span:
        """Open the span of a step."""
        return self._tracer.start_span(
            f"step {name}",
            parent,
            attributes={"penstock.step.id": step_id},
            start_time=_nanoseconds(at),
        )


class _AttemptTraces:
    """The spans of one attempt that are open."""

    def __init__(self, traces: RunTraces, span: Span, within: otel.Context) -> None:
        self._traces = traces
        self._span = span
        self._within = within
        self._steps: dict[str, tuple[Span, otel.Context]] = {}
        self._lock = threading.Lock()
        context = span.get_span_context()
        self.trace = TraceContext.of(context).write() if context.is_valid else ""

    def on_fact(self, fact: Fact) -> None:
        """Follow the steps of the attempt."""
        if fact.mode == "step.started":
            self._start(fact.data["id"], fact.data.get("context"), fact.time)
        elif fact.mode == "step.retry" and "delay" in fact.data:
            self._retry(fact.data)
        elif fact.mode == "step.finished":
            self._finish(fact.data, fact.time)

    def ended(self, outcome: str, error: BaseException | None) -> None:
        """Close all spans; those of steps that have not finished say so."""
        with self._lock:
            left, self._steps = self._steps, {}
        for span, _ in left.values():
            span.set_attribute("penstock.step.outcome", "unfinished")
            span.end()
        self._span.set_attribute("penstock.outcome", outcome)
        _close(self._span, error)

    def _start(self, step_id: str, context: contextvars.Context | None, at: float) -> None:
        with self._lock:
            parent = self._parent(step_id)
            span = self._traces.start_step(step_name(step_id), parent, step_id, at)
            within = set_span_in_context(span, parent)
            self._steps[step_id] = span, within
        if context is None:
            return
        try:
            context.run(otel.attach, within)
        except RuntimeError:  # it is the calling code's own
            otel.attach(within)

    def _parent(self, step_id: str) -> otel.Context:
        for caller in reversed(ancestry(step_id)[:-1]):
            if caller in self._steps:
                return self._steps[caller][1]
        return self._within

    def _retry(self, data: Mapping[str, Any]) -> None:
        step = self._steps.get(data["id"])
        span = self._span if step is None else step[0]
        error: Mapping[str, Any] = data.get("error") or {}
        span.add_event(
            "retry",
            {
                "penstock.try": data["attempt"],
                "penstock.delay": data["delay"],
                "exception.type": str(error.get("type", "")),
                "exception.message": str(error.get("message", "")),
            },
        )

    def _finish(self, data: Mapping[str, Any], at: float) -> None:
        with self._lock:
            span, _ = self._steps.pop(data["id"], (None, None))
        if span is None:  # an earlier attempt has begun it, or another process executes it
            return
        if data.get("cached"):
            span.set_attribute("penstock.step.cached", True)
        _close(span, data["outcome"].get("error"), at)


def _age(cause: TraceContext, attempt: ObservedAttempt) -> float:
    """Return the seconds since the cause of an attempt, by Redis's clock where that is known."""
    return time.time() - cause.at if attempt.waited is None else attempt.waited


def _attributes(attempt: ObservedAttempt) -> dict[str, str | int]:
    found: dict[str, str | int] = {
        "messaging.system": "penstock",
        "messaging.operation.type": "process",
        "messaging.destination.name": attempt.queue,
        "messaging.message.id": attempt.run_id,
        "penstock.run.id": attempt.run_id,
        "penstock.entrypoint": attempt.entrypoint,
        "penstock.thread.id": attempt.thread_id,
        "penstock.queue": attempt.queue,
        "penstock.attempt": attempt.number,
    }
    more = {"penstock.step.id": attempt.step_id, "penstock.version": attempt.version}
    return found | {name: value for name, value in more.items() if value}


def _close(span: Span, error: BaseException | None, at: float | None = None) -> None:
    if error is not None:
        span.record_exception(error, timestamp=None if at is None else _nanoseconds(at))
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
    span.end(None if at is None else _nanoseconds(at))


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
