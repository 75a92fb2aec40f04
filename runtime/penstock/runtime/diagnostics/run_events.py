"""The stored events of a run, read as JSON objects."""

from __future__ import annotations

__all__ = ["RunEvent", "read_events"]

from collections.abc import Mapping
from typing import Any, Final

from penstock.publisher.codec.codec import Codec
from penstock.publisher.event import parse
from penstock.publisher.stored import read_all
from penstock.runtime.diagnostics.graph_tasks import as_step
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.streaming.graph_chunks import GRAPH

RunEvent = Mapping[str, Any]
"""`seq`, `mode`, `data`, `time`, perhaps `ns` and `attempt`."""

_WITH_VALUES: Final = ("step.retry", "step.finished", "step.interrupted", GRAPH)


def read_events(plans: RequestPlans, run_id: str) -> Plan[list[RunEvent]]:
    """Read the events of a run; those of a graph's tasks as events of steps."""
    events: list[RunEvent] = []
    codec = plans.codec.at("run", run_id)

    def take(seq: int, text: bytes) -> None:
        events.append(as_step(_opened({**parse(text, seq, run_id), "seq": seq}, codec)))

    yield from read_all(plans.keys.events(run_id), take)
    return events


def _opened(event: dict[str, Any], codec: Codec) -> dict[str, Any]:
    """Decrypt the shown parts of an event: not the arguments of steps, which may be many."""
    if codec.plain is not codec and event["mode"] in _WITH_VALUES:
        event["data"] = codec.fact(event["mode"], event["data"])
    return event
