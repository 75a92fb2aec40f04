"""The span of an enqueue, which the run's attempts continue."""

from __future__ import annotations

__all__ = ["enqueue_span"]

import dataclasses
from collections.abc import Generator
from contextlib import contextmanager

from penstock.runtime.journal.trace_context import TraceContext, open_tracer
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.settings import Settings


@contextmanager
def enqueue_span(settings: Settings, wanted: Wanted) -> Generator[Wanted]:
    """Open a span if the setting says so, and yield the wanted run, which then belongs to it.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    if not settings.traces:
        yield wanted
        return
    tracer = open_tracer()
    from opentelemetry.trace import SpanKind

    name = f"enqueue {wanted.entrypoint}"
    with tracer.start_as_current_span(name, kind=SpanKind.PRODUCER) as span:
        span.set_attributes(
            {
                "messaging.system": "penstock",
                "messaging.operation.type": "send",
                "messaging.destination.name": wanted.queue,
                "penstock.entrypoint": wanted.entrypoint,
                "penstock.queue": wanted.queue,
            }
        )
        if wanted.run_id is not None:
            span.set_attribute("penstock.run.id", wanted.run_id)
        context = span.get_span_context()
        yield (
            dataclasses.replace(wanted, trace=TraceContext.of(context).write())
            if context.is_valid
            else wanted
        )
