"""The same done to many runs."""

from __future__ import annotations

__all__ = ["ACTIONS", "BulkAction", "BulkProgress", "bulk_filter", "checked_rate"]

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.run import OPEN, RunStatus
from penstock.runtime.types.run_filter import RunFilter

BulkAction = Literal["cancel", "resume", "rerun", "delete", "unpin"]

_OVER: Final = frozenset(RunStatus) - OPEN

ACTIONS: Final[Mapping[str, frozenset[RunStatus]]] = {
    "cancel": OPEN,
    "resume": frozenset({RunStatus.FAILED}),
    "rerun": _OVER,
    "delete": _OVER,
    "unpin": OPEN,
}
"""What can be done to many runs, and the statuses of those that it can be done to."""


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How far it is."""

    done: int
    """Runs that it was done to."""
    skipped: int
    """Runs that had changed since they were read, or that it was done to before."""
    run_ids: tuple[str, ...]
    """The runs that it was done to since the last progress; of a dry run, those it would be."""


def bulk_filter(action: str, wanted: RunFilter, *, is_all: bool) -> RunFilter:
    """Return the filter of the runs that something is done to.

    Raises:
        ConfigurationError: there is no such action, it can be done to none of these runs, or
            neither a filter nor `all` says which are meant.
    """
    if action not in ACTIONS:
        raise ConfigurationError(f"there is no action {action!r}; there are {', '.join(ACTIONS)}.")
    if wanted.is_empty and not is_all:
        raise ConfigurationError(
            f"{action} all runs? Give a filter, such as entrypoint or tag, or all=True (--all)."
        )
    statuses = wanted.statuses & ACTIONS[action]
    if not statuses:
        raise ConfigurationError(
            f"{action} is for runs that are {', '.join(sorted(ACTIONS[action]))}."
        )
    return dataclasses.replace(wanted, statuses=statuses)


def checked_rate(rate: float) -> float:
    """Return how many runs a second are changed at most.

    Raises:
        ConfigurationError: it is no number above 0.
    """
    if not rate > 0:
        raise ConfigurationError(f"rate is a number of runs a second, above 0, not {rate!r}.")
    return rate
