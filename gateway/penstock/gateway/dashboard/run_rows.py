"""Runs as lines of a list, each with what it waits for or what it failed of."""

from __future__ import annotations

__all__ = ["RunRow", "read_rows", "seconds_of"]

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.gateway.dashboard.templates import one_line
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.redaction import error_class
from penstock.runtime.diagnostics.waiting import Waiting, read_waiting
from penstock.runtime.redis.plans.together import together
from penstock.runtime.types.run import Run


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, and the sentence beside it."""

    run: Run
    waiting: Waiting
    has_values: bool = True
    """Whether what it asks, and the message of its error, is shown."""

    @property
    def note(self) -> str:
        """What it waits for, or why it ended."""
        run, waiting = self.run, self.waiting
        if not waiting.waits_for:
            return run.reason if self.has_values else error_class(run.reason)
        asked = (
            f": {one_line(waiting.questions[0].value)}"
            if waiting.questions and self.has_values
            else ""
        )
        return f"{waiting.label} {waiting.waits_for}{asked}"

    @property
    def seconds(self) -> float | None:
        """How long it took, or is under way; None if it has not started."""
        return seconds_of(self.run)


async def read_rows(visit: Visit, runs: Iterable[Run]) -> list[RunRow]:
    """Read what runs wait for, of all of them together."""
    client, listed = visit.client, list(runs)
    waits = await client.do(together(read_waiting(client.plans, run) for run in listed))
    return [
        RunRow(run, waiting, visit.sees_values) for run, waiting in zip(listed, waits, strict=True)
    ]


def seconds_of(run: Run) -> float | None:
    """Return how long a run took, or is under way; None if it has not started."""
    if run.started_at is None:
        return None
    return ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()
