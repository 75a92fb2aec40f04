"""A run, as those see it who asked for it."""

from __future__ import annotations

__all__ = ["OPEN", "Run", "RunStatus"]

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from penstock.publisher.registry import register_type


@register_type
class RunStatus(StrEnum):
    """Where a run is between enqueue and its end."""

    QUEUED = "queued"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.SUSPENDED})
"""The statuses of runs that are not over."""


@register_type
@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run, at one moment."""

    run_id: str
    thread_id: str
    entrypoint: str
    status: RunStatus
    queue: str
    attempt: int
    """Tries so far; more than 1 after a worker died of it or with it."""
    crashes: int
    """Workers that died with it so far."""
    worker: str
    reason: str
    """Why it ended, if not by completing; the error's type and message."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    asks: bool = False
    """Whether it waits for an answer, if it is suspended."""
    wakes_at: datetime | None = None
    """When it goes on by itself, if it is suspended."""

    @classmethod
    def from_fields(cls, run_id: str, fields: Mapping[str, str]) -> Run:
        """Read a run from its hash."""
        return cls(
            run_id=run_id,
            thread_id=fields["thread"],
            entrypoint=fields["entrypoint"],
            status=RunStatus(fields["status"]),
            queue=fields["queue"],
            attempt=int(fields["attempt"]),
            crashes=int(fields.get("deaths", 0)),
            worker=fields.get("worker", ""),
            asks=fields.get("asks") == "1",
            wakes_at=_time(fields["wakes"]) if fields.get("wakes") else None,
            reason=fields.get("reason", ""),
            created_at=_time(fields["created"]),
            started_at=_time(fields["started"]) if "started" in fields else None,
            finished_at=_time(fields["finished"]) if "finished" in fields else None,
        )


def _time(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
