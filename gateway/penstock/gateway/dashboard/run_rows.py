"""Runs as lines of a list, each with what it waits for or what it failed of."""

from __future__ import annotations

__all__ = ["RunRow", "read_rows", "seconds_of"]

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.gateway.dashboard.templates import one_line
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.waiting import Waiting, read_waiting
from penstock.runtime.types.run import OPEN, Run


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run, and the sentence beside it."""

    run: Run
    waiting: Waiting

    @property
    def note(self) -> str:
        """What it waits for, or why it ended."""
        run, waiting = self.run, self.waiting
        if not waiting.waits_for:
            return run.reason
        asked = f": {one_line(waiting.questions[0].value)}" if waiting.questions else ""
        return f"{waiting.label} {waiting.waits_for}{asked}"

    @property
    def seconds(self) -> float | None:
        """How long it took, or is under way; None if it has not started."""
        return seconds_of(self.run)


async def read_rows(client: AsyncClient, runs: Iterable[Run]) -> list[RunRow]:
    """Read what runs wait for, all of them at once."""

    async def row(run: Run) -> RunRow:
        if run.status not in OPEN:
            return RunRow(run, Waiting())
        return RunRow(run, await client.do(read_waiting(client.plans, run)))

    return await asyncio.gather(*map(row, runs))


def seconds_of(run: Run) -> float | None:
    """Return how long a run took, or is under way; None if it has not started."""
    if run.started_at is None:
        return None
    return ((run.finished_at or datetime.now(UTC)) - run.started_at).total_seconds()
