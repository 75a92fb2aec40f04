"""Points: what is stored of one LangGraph checkpoint, and what is read of it."""

from __future__ import annotations

__all__ = ["Lineage", "Point", "PointHead", "Write", "write_head"]

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.record import head_of
from penstock.publisher.codec.tree_text import to_text


class Write(NamedTuple):
    """A pending write: what a task that has finished gave to a channel."""

    task_id: str
    channel: str
    value: Any
    path: str = ""
    number: int = 0
    """What tells it from the others of its task; negative for what is said of the task itself."""


class Point(NamedTuple):
    """A LangGraph checkpoint, with the values of its channels and its pending writes."""

    space: Space
    id: str
    parent: str
    """Id of the point before; "" for none."""
    checkpoint: dict[str, Any]
    metadata: dict[str, Any]
    writes: tuple[Write, ...] = ()
    """Ordered by path, task and number."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What one channel got on the way to a point, the oldest first."""

    writes: tuple[Write, ...]
    has_value: bool
    value: Any = None
    """The stored value that the writes came upon."""


class PointHead(NamedTuple):
    """What stands in the clear in the record of a point."""

    versions: dict[str, str]
    """Of each channel, as names of fields have it."""
    parent: str = ""
    run: str = ""
    """Id of the run that has made it, from its metadata."""

    @property
    def text(self) -> str:
        """As records have it."""
        return to_text({"parent": self.parent, "run": self.run, "versions": self.versions})

    @classmethod
    def of(cls, record: bytes) -> Self:
        """Read the head of a record."""
        return cls(**json.loads(head_of(record)))


@lru_cache(maxsize=1024)
def write_head(channel: str, path: str) -> str:
    """Return what stands in the clear in the record of a write."""
    return to_text([channel, path])
