"""Failures of one cause."""

from __future__ import annotations

__all__ = ["FailureGroup"]

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The runs that failed of one cause: same entrypoint, task, class of error, and function."""

    cause: str
    """Its id, as `client.runs(error=...)` takes it."""
    entrypoint: str
    task: str
    """The task that failed; empty if the body did."""
    error: str
    """The name of the error's class."""
    place: str
    """The innermost function of the app in which it was raised; empty if that is not known."""
    reason: str
    """The class and the message of the last one."""
    failed: int
    """How many of its runs are failed now: neither resumed since, nor deleted."""
    count: int
    """How often runs have failed of it."""
    first_at: datetime
    last_at: datetime
    sample: str
    """The run that failed last."""
