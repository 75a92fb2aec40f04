"""The trace that a run belongs to, as it is stored with the run; and the way to OpenTelemetry."""

from __future__ import annotations

__all__ = ["FIELD", "TraceContext", "open_tracer"]

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, Tracer

FIELD: Final = "trace"
"""The checkpoint of a run that has its trace."""

_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2}) (\d+)")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span that what comes next belongs to, and when it was recorded."""

    trace_id: int
    span_id: int
    flags: int
    at: float = field(default_factory=time.time)
    """Seconds since 1970."""

    @classmethod
    def of(cls, context: SpanContext) -> TraceContext:
        """Return what is stored of a span."""
        return cls(context.trace_id, context.span_id, int(context.trace_flags))

    @classmethod
    def read(cls, text: str) -> TraceContext | None:
        """Read what `write` has written; None if it is anything else."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        trace_id, span_id, flags, at = found.groups()
        return cls(int(trace_id, 16), int(span_id, 16), int(flags, 16), int(at) / 1000)

    def write(self) -> str:
        """Write it as a traceparent header and milliseconds."""
        ids = f"{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"
        return f"00-{ids} {round(self.at * 1000)}"

    def span_context(self) -> SpanContext:
        """Return it as OpenTelemetry has it."""
        from opentelemetry.trace import SpanContext, TraceFlags

        return SpanContext(self.trace_id, self.span_id, True, TraceFlags(self.flags))


def open_tracer() -> Tracer:
    """Return OpenTelemetry's tracer for the spans of runs.

    Raises:
        ConfigurationError: OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.trace import get_tracer
    except ImportError as error:
        raise ConfigurationError(
            "the setting traces needs OpenTelemetry: pip install 'penstock[otel]'"
        ) from error
    return get_tracer("penstock")
