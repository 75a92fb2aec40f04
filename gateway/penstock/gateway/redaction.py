"""Records without what users' code has put into them, for those who may not see values."""

from __future__ import annotations

__all__ = ["error_class", "redacted_group", "redacted_run"]

from dataclasses import replace

from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.run import Run


def error_class(text: str) -> str:
    """Return the class of an error that is written as `Class: message`."""
    return text.partition(": ")[0]


def redacted_run(run: Run) -> Run:
    """Return a run that says what class of error it failed of, not the message."""
    return replace(run, reason=error_class(run.reason))


def redacted_group(group: FailureGroup) -> FailureGroup:
    """Return a group of failures without the message of the last one."""
    return replace(group, reason=group.error)
