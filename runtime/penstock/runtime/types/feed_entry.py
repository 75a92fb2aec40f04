"""Entries of the feed: the changes of all runs, in the order in which they came."""

from __future__ import annotations

__all__ = ["FeedEntry", "FeedQuery", "feed_filter", "passes"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.run import RunStatus
from penstock.runtime.types.run_filter import RunFilter


@register_type
@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A change of a run: it was queued, asks, was resumed, or is over."""

    __stored_name__ = "penstock.runtime.FeedEntry"

    cursor: str
    """Where it stands in the feed: `follow(after=entry.cursor)` goes on behind it."""
    run_id: str
    thread_id: str
    entrypoint: str
    event: str
    """`run.queued`, `run.interrupted`, `run.resumed` or `run.finished`."""
    seq: int
    """The number of that event among those of the run."""
    status: RunStatus
    """The status of the run after the change."""
    time: datetime
    cause: str = ""
    """What it failed of, as `client.failures` groups failures; empty unless it failed."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """The tags of the run; empty without the key that they are encrypted under."""


class FeedQuery(TypedDict, total=False):
    """The filters of entries."""

    entrypoint: str | None
    thread: str | None
    tag: Mapping[str, str] | None
    """Tags that a run has, perhaps among others."""
    status: str | Iterable[str] | None
    """The status after the change, or several."""


def feed_filter(
    *,
    entrypoint: str | None = None,
    thread: str | None = None,
    tag: Mapping[str, str] | None = None,
    status: str | Iterable[str] | None = None,
) -> RunFilter:
    """Read the filters of a query.

    Raises:
        ConfigurationError: one of them has a value that no run could have.
    """
    return RunFilter.of(entrypoint=entrypoint, thread=thread, tag=tag, status=status)


def passes(wanted: RunFilter, entry: FeedEntry) -> bool:
    """Tell whether an entry passes filters."""
    return (
        entry.status in wanted.statuses
        and wanted.entrypoint in (None, entry.entrypoint)
        and wanted.thread in (None, entry.thread_id)
        and wanted.tags.items() <= entry.tags.items()
    )
