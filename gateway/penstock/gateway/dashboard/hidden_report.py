"""A run without its values, for viewers: errors by their class, no words, no questions."""

from __future__ import annotations

__all__ = ["hidden_history", "hidden_report"]

from collections.abc import Sequence
from dataclasses import replace

from penstock.gateway.redaction import error_class, redacted_run
from penstock.runtime.diagnostics.history import History, Span, SpanKind
from penstock.runtime.diagnostics.run_report import RunReport


def hidden_report(report: RunReport) -> RunReport:
    """Return what may be shown of a run."""
    steps = [replace(step, error=error_class(step.error)) for step in report.steps]
    return replace(report, run=redacted_run(report.run), steps=steps, outcome={}, values={})


def hidden_history(past: History) -> History:
    """Return the spans of a run without the messages of errors."""
    steps = {step_id: _hidden(spans) for step_id, spans in past.steps.items()}
    return replace(past, body=_hidden(past.body), steps=steps)


def _hidden(spans: Sequence[Span]) -> list[Span]:
    return [
        span if span.kind is SpanKind.LOST else replace(span, note=error_class(span.note))
        for span in spans
    ]
