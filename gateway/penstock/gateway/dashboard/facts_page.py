"""A page of the stored events of a run, as JSON."""

from __future__ import annotations

__all__ = ["FactLine", "read_facts"]

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from penstock.publisher.event import build, parse
from penstock.publisher.stored import Part, read
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.redis.plans.requests import Plan, RequestPlans

PAGE: Final = 100
"""Events of a page."""


@dataclass(frozen=True, slots=True)
class FactLine:
    """One stored event."""

    seq: int
    mode: str
    step: str
    """The id of the step that wrote it, or that it is about; empty for the run."""
    at: datetime
    text: str
    """Its data as indented JSON."""


def read_facts(
    plans: RequestPlans, run_id: str, after: int, *, has_values: bool
) -> Plan[Sequence[FactLine]]:
    """Read the events of a run after a cursor; without values, only their mode, step and time.

    Raises:
        EncryptionError: an event is encrypted under a key that is not set here.
    """
    found, _ = yield from read(plans.keys.events(run_id), Part(after + 1, PAGE))
    lines: list[FactLine] = []
    for seq, text in found:
        event = build(parse(text, seq, run_id), seq, run_id, plans.codec)
        data: Any = event.data
        about = data.get("id") if event.mode.startswith("step.") else None
        shown = json.dumps(plain(data), ensure_ascii=False, indent=2) if has_values else ""
        lines.append(
            FactLine(
                seq,
                event.mode,
                str(about or "/".join(event.namespace)),
                datetime.fromtimestamp(event.time, UTC),
                shown,
            )
        )
    return lines
