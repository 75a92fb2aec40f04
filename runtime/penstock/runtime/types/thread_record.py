"""What is known of a thread beside its state, and what threads are looked for by."""

from __future__ import annotations

__all__ = ["ThreadOrder", "ThreadQuery", "ThreadRecord", "ThreadStatus", "contains"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias, cast


class ThreadStatus(StrEnum):
    """What the newest run of a thread does, or how it ended."""

    IDLE = "idle"
    """It is over, or there is none."""
    BUSY = "busy"
    """It is queued or at work, or waits for a time."""
    INTERRUPTED = "interrupted"
    """It waits for an answer, or was cancelled."""
    ERROR = "error"
    """It failed."""


@dataclass(frozen=True, slots=True)
class ThreadRecord:
    """A thread as it is listed."""

    thread_id: str
    status: ThreadStatus
    created_at: datetime
    updated_at: datetime
    """When its record, its status or its newest run changed."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ttl: float | None = None
    """Seconds that it is kept after its last run; None for ever, or as the settings say."""
    expires_at: datetime | None = None
    """When it is gone, if nothing comes on it."""
    run_id: str = ""
    """The run that it is at, "" if none."""


ThreadOrder: TypeAlias = Literal["thread_id", "status", "created_at", "updated_at"]


@dataclass(frozen=True, slots=True)
class ThreadQuery:
    """Which threads are looked for, and in which order they come."""

    ids: Collection[str] | None = None
    """In their order; of many, a dict or a set tells sooner which it has."""
    status: ThreadStatus | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What their metadata contains."""
    sort_by: ThreadOrder = "updated_at"
    is_descending: bool = True

    def admits(self, record: ThreadRecord) -> bool:
        """Tell whether a thread is one of those looked for."""
        return (
            (self.ids is None or record.thread_id in self.ids)
            and self.status in (None, record.status)
            and contains(record.metadata, self.metadata)
        )


def contains(value: Any, part: Any) -> bool:
    """Tell whether a JSON value has all of another: members of objects, elements of arrays."""
    if isinstance(part, Mapping) and isinstance(value, Mapping):
        whole, members = cast("Mapping[str, Any]", value), cast("Mapping[str, Any]", part)
        return all(name in whole and contains(whole[name], each) for name, each in members.items())
    if isinstance(part, list | tuple) and isinstance(value, list | tuple):
        return _has_all(cast("Sequence[Any]", value), cast("Sequence[Any]", part))
    if isinstance(value, bool) or isinstance(part, bool):
        return value is part
    return bool(value == part)


def _has_all(elements: Sequence[Any], wanted: Sequence[Any]) -> bool:
    """Tell whether a list has all elements of another; those that can be hashed are looked up."""
    if not wanted:
        return True
    scalars = {_scalar_key(each) for each in elements if isinstance(each, _SCALARS)}
    others = [each for each in elements if not isinstance(each, _SCALARS)]
    return all(
        _scalar_key(one) in scalars
        if isinstance(one, _SCALARS)
        else any(contains(each, one) for each in others)
        for one in wanted
    )


_SCALARS: Final = (str, int, float, bool, type(None))


def _scalar_key(value: Any) -> tuple[bool, Any]:
    """Return what tells true from 1, which are equal in Python."""
    return isinstance(value, bool), value
