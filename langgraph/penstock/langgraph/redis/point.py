"""Points: what is stored of one LangGraph checkpoint, and what is read of it."""

from __future__ import annotations

__all__ = ["Lineage", "Point", "PointHead", "Write", "write_head"]

import json
from dataclasses import dataclass, field
from typing import Any, Self

from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.record import head_of


@dataclass(frozen=True, slots=True)
class Write:
    """A pending write: what a task that has finished gave to a channel."""

    task_id: str
    channel: str
    value: Any
    path: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A LangGraph checkpoint, with the values of its channels and its pending writes."""

    space: Space
    id: str
    parent: str
    """Id of the point before; "" for none."""
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    writes: tuple[Write, ...] = ()
    """Ordered by path, task and index."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one channel got on the way to a point, the oldest first."""

    writes: tuple[Write, ...]
    has_value: bool
    value: Any = None
    """The stored value that the writes came upon."""


@dataclass(frozen=True, slots=True)
class PointHead:
    """What stands in the clear in the record of a point."""

    parent: str = ""
    run: str = ""
    """Id of the run that has made it, from its metadata."""
    versions: dict[str, str] = field(default_factory=dict[str, str])
    """Of each channel, as names of fields have it."""

    @property
    def text(self) -> str:
        """As records have it."""
        tree = {"parent": self.parent, "run": self.run, "versions": self.versions}
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, record: bytes) -> Self:
        """Read the head of a record."""
        return cls(**json.loads(head_of(record)))


def write_head(channel: str, path: str) -> str:
    """Return what stands in the clear in the record of a write."""
    return json.dumps([channel, path], ensure_ascii=False, separators=(",", ":"))
