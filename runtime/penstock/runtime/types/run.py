"""The record of a run, as apps see it."""

from __future__ import annotations

__all__ = ["OPEN", "Run", "RunStatus"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.moment import moment_of


@register_type
class RunStatus(StrEnum):
    """The status of a run between enqueue and its end."""

    __stored_name__ = "penstock.runtime.RunStatus"

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
    """The record of a run at one moment: status, times, attempt, worker, reason."""

    __stored_name__ = "penstock.runtime.Run"

    run_id: str
    thread_id: str
    entrypoint: str
    status: RunStatus
    queue: str
    attempt: int
    """The number of its attempt, from 1 on; each worker that dies with it makes it one more."""
    crashes: int
    """Workers that died with it so far, also before it was resumed."""
    worker: str
    """The worker that executes it; empty unless it is running."""
    reason: str
    """Why it ended, if not by completing; the error's type and message. Empty while it is open."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    asks: bool = False
    """Whether it waits for an answer now; never true of a run that is not suspended."""
    wakes_at: datetime | None = None
    """When the run goes on by itself; None unless it is suspended."""
    cause: str = ""
    """What it failed of, as `client.failures` groups failures; empty unless it failed."""
    rerun_of: str = ""
    """The run whose input it was given again; empty for most."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """What it is found by; empty without the key that they are encrypted under."""

    version: str = ""
    """The version of the code that first executed it, if that had one."""
    is_pinned: bool = False
    """Whether only workers with that version execute it."""

    @classmethod
    def from_fields(cls, run_id: str, fields: Mapping[str, str]) -> Run:
        """Read a run from its hash, without fields of an earlier status."""
        status = RunStatus(fields["status"])
        is_open, waits = status in OPEN, status is RunStatus.SUSPENDED
        return cls(
            run_id=run_id,
            thread_id=fields["thread"],
            entrypoint=fields["entrypoint"],
            status=status,
            queue=fields["queue"],
            attempt=int(fields["attempt"]),
            crashes=int(fields.get("deaths", 0)) + int(fields.get("pardoned", 0)),
            worker=fields.get("worker", "") if status is RunStatus.RUNNING else "",
            asks=waits and fields.get("asks") == "1",
            wakes_at=_time(fields.get("wakes")) if waits else None,
            cause=fields.get("cause", "") if status is RunStatus.FAILED else "",
            rerun_of=fields.get("rerun_of", ""),
            version=fields.get("version", ""),
            is_pinned="pin" in fields,
            reason="" if is_open else fields.get("reason", ""),
            created_at=moment_of(fields["created"]),
            started_at=_time(fields.get("started")),
            finished_at=None if is_open else _time(fields.get("finished")),
        )


def _time(milliseconds: str | None) -> datetime | None:
    return moment_of(milliseconds) if milliseconds else None
