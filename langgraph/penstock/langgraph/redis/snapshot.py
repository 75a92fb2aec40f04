"""Snapshots: what a point's record does not say, and people ask: its tasks, values not written."""

from __future__ import annotations

__all__ = ["Snapshot", "SnapshotTask", "is_own"]

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self, cast

from penstock.langgraph.plain import plain
from penstock.publisher.codec.tree_text import to_text

_OWN: Final = ("__", "branch:", "join:")
"""Begin the names of channels that LangGraph makes by itself."""


class SnapshotTask(NamedTuple):
    """A task that a point leads to."""

    id: str
    name: str
    is_graph: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What LangGraph tells of a point as it makes it."""

    tasks: Sequence[SnapshotTask] = ()
    is_named: bool = True
    """Whether its values have names."""
    empty: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values that are empty, as of channels that nothing was written to yet."""

    @classmethod
    def told(cls, payload: Mapping[str, Any]) -> Self:
        """Return what a chunk of mode `checkpoints` tells."""
        tasks = [
            SnapshotTask(task["id"], task["name"], bool(task.get("state")))
            for task in payload["tasks"]
        ]
        return cls.of(tasks, payload["values"])

    @classmethod
    def of(cls, tasks: Sequence[SnapshotTask], values: Any) -> Self:
        """Return it of tasks, and of values as LangGraph shows them."""
        if not isinstance(values, Mapping):
            return cls(tasks, is_named=False)
        named = cast("Mapping[str, Any]", values)
        empty = {name: plain(value) for name, value in named.items() if _is_empty(value)}
        return cls(tasks, empty=empty)

    @property
    def text(self) -> str:
        """As it is stored."""
        tree = {"tasks": list(self.tasks), "named": self.is_named, "empty": self.empty}
        return to_text(tree)

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read what is stored."""
        tree: dict[str, Any] = json.loads(text)
        return cls([SnapshotTask(*each) for each in tree["tasks"]], tree["named"], tree["empty"])


def is_own(channel: str) -> bool:
    """Tell whether LangGraph has made a channel by itself."""
    return channel.startswith(_OWN)


def _is_empty(value: Any) -> bool:
    return isinstance(value, str | int | float | list | tuple | dict | set) and not value
