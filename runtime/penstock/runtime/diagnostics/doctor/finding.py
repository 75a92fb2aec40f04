"""The facts that were read of a Redis, and the findings of checks."""

from __future__ import annotations

__all__ = ["Encryption", "Finding", "Level", "Reading"]

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from penstock.runtime.redis.plans.hook_states import FeedState, OutboxState


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    UNKNOWN = "unknown"
    """The Redis user may not read the facts of the check."""
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its message, and for a problem its meaning and its fix."""

    check: str
    level: Level
    message: str
    means: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Encryption:
    """Facts about encrypted runs."""

    is_on: bool = False
    """Whether this process has keys."""
    runs: Mapping[str, int] = field(default_factory=dict[str, int])
    """Id of a key, "" for none -> how many runs were written with it."""
    unreadable: Sequence[str] = ()
    """Ids of runs that this process cannot read."""
    why: str = ""
    """The error of reading the first of them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The facts that were read of a Redis."""

    info: Mapping[str, Any]
    """The reply to INFO."""
    refused: AbstractSet[str] = frozenset()
    """Names of fields that are empty because the Redis user may not read them."""
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    """Replies to CONFIG GET; empty if that is not allowed."""
    clock_offset: float = 0.0
    """Seconds that Redis's clock is ahead of this machine's."""
    statuses: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many runs there are in each status."""
    workers: int = 0
    unserved: Mapping[str, int] = field(default_factory=dict[str, int])
    """Queues that no live worker serves -> how many runs are queued there."""
    unserved_steps: Mapping[str, int] = field(default_factory=dict[str, int])
    """The same of remote steps: runs wait for them."""
    parked: Mapping[tuple[str, str], Sequence[str]] = field(
        default_factory=dict[tuple[str, str], Sequence[str]]
    )
    """Queue and name of the code that its workers lack -> the ids of the runs that wait for it."""
    misplaced: Mapping[str, int] = field(default_factory=dict[str, int])
    """Queues of the default prefix -> how many tickets of this prefix are on them, in vain."""
    paused: bool = False
    orphans: Sequence[str] = ()
    """Queued runs that no queue and no thread holds."""
    expired: Mapping[str, float] = field(default_factory=dict[str, float])
    """Running runs whose lease is over -> for how many seconds."""
    unlisted: Sequence[str] = ()
    """Ids of threads that the lists of threads name wrongly, or not at all."""
    trusting: Sequence[str] = ()
    """Names of LangGraph graphs that read objects of any type."""
    leaks: Sequence[str] = ()
    """Keys that will never expire."""
    keys_read: int = 0
    all_keys_read: bool = True
    encryption: Encryption = field(default_factory=Encryption)
    outbox: OutboxState = field(default_factory=OutboxState)
    feed: FeedState = field(default_factory=FeedState)
    feed_limit: int = 0
    """How many changes the feed keeps, as the settings here say; 0 if there is none."""
    cli: str = "redis-cli"
    """How a command for this Redis begins."""

    def unread(self, check: str, **parts: str) -> Finding | None:
        """Name the `parts` (field -> description) that could not be read; None if all were."""
        names = [name for part, name in parts.items() if part in self.refused]
        if not names:
            return None
        return Finding(check, Level.UNKNOWN, f"not allowed to read {' and '.join(names)}")
