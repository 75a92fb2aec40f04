"""What is under way in one checkpoint namespace of an attempt, until it is told. No IO."""

from __future__ import annotations

__all__ = ["Held", "Namespace", "SpaceUnderWay", "Told", "Write", "finished_in", "whole"]

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langgraph.checkpoint.base import CheckpointTuple

from penstock.langgraph.redis.channels import CONTROL_WRITES
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.put import Put

Namespace: TypeAlias = tuple[str, ...]
Told: TypeAlias = tuple[Fact, str]


@dataclass(slots=True)
class Write:
    """Something to be written in one piece."""

    puts: Sequence[Put] = ()
    checkpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    facts: list[Told] = field(default_factory=list[Told])


@dataclass(slots=True)
class Held:
    """What waits for the point that it belongs to."""

    point_id: str = ""
    """That point, as soon as it is known."""
    writes: list[Write] = field(default_factory=list[Write])


@dataclass(slots=True)
class SpaceUnderWay:
    """What is under way in one checkpoint namespace."""

    is_kept: bool = False
    """Whether it has a checkpointer: its loop has asked for its newest point."""
    stored: set[str] = field(default_factory=set[str])
    """The points that were there when it asked: their chunks were told by an earlier attempt."""
    put: set[str] = field(default_factory=set[str])
    """The points that this attempt has stored."""
    finished: set[str] = field(default_factory=set[str])
    """The tasks whose ends earlier attempts have recorded and told."""
    chunks: list[Told] = field(default_factory=list[Told])
    """Those of the task that is just ending, until the one with its result comes."""
    writes: dict[str, Write] = field(default_factory=dict[str, Write])
    """What tasks have written and the chunks of whose end have not come yet."""
    alone: set[str] = field(default_factory=set[str])
    """The tasks whose writes are stored, without chunks of their ends."""
    ended: set[str] = field(default_factory=set[str])
    """The tasks the chunks of whose ends are told, before their writes have come."""
    ends: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    """Chunks of the ends of tasks whose writes have not come yet."""
    held: list[Held] = field(default_factory=list["Held"])
    """What waits for points, in their order."""
    step: int | None = None
    ids: dict[str, str] = field(default_factory=dict[str, str])
    """The superstep at work, and the stable ids of its tasks by LangGraph's."""
    counts: Counter[str] = field(default_factory=Counter[str])
    """How many tasks of a name it has."""
    told: dict[str, Put] = field(default_factory=dict[str, Put])
    """What stores that which chunks have told of points that are not stored yet."""

    def number(self, step: int, payload: Mapping[str, Any]) -> None:
        """Give a task that begins an id of its own among those of its superstep."""
        if step != self.step:
            self.step, self.ids, self.counts = step, {}, Counter()
        name, task_id = payload["name"], payload["id"]
        if task_id not in self.ids:
            self.ids[task_id] = f"{name}:{step}.{self.counts[name]}"
            self.counts[name] += 1

    def told_of(self, point_id: str) -> Sequence[Put]:
        """Take what stores that which chunks have told of a point."""
        put = self.told.pop(point_id, None)
        return () if put is None else (put,)

    def add(self, write: Write) -> bool:
        """Keep a write until a point comes, if one is awaited; tell whether it is kept."""
        if self.held:
            self.held[-1].writes.append(write)
        return bool(self.held)

    def await_point(self, point_id: str) -> None:
        """Let what comes wait for a point, with what waits for one whose id was not known."""
        if not self.held or self.held[-1].point_id:
            self.held.append(Held())
        self.held[-1].point_id = point_id

    def taken(self, point_id: str) -> Sequence[Write]:
        """Take what waits for a point, and for those before it.

        A point may be stored when the next one is under way already, whose id is not known yet.
        """
        ids = [each.point_id for each in self.held]
        name = point_id if point_id in ids else ""
        if name not in ids:
            return ()
        count = ids.index(name) + 1
        taken, self.held = self.held[:count], self.held[count:]
        return [write for each in taken for write in each.writes]

    def all_held(self) -> Sequence[Write]:
        """Take all that waits for points."""
        held, self.held = self.held, []
        return [write for each in held for write in each.writes]

    def all_ends(self) -> Sequence[Told]:
        """Take the chunks of ends of tasks whose writes have not come."""
        ends = [fact for facts in self.ends.values() for fact in facts]
        self.ended |= self.ends.keys()
        self.ends = {}
        return ends


def whole(writes: Sequence[Write]) -> Write:
    """Return several writes as one."""
    return Write(
        [put for each in writes for put in each.puts],
        {name: text for each in writes for name, text in each.checkpoints.items()},
        [fact for each in writes for fact in each.facts],
    )


def finished_in(found: CheckpointTuple) -> set[str]:
    """Return the tasks that have finished since a point."""
    return {
        task_id
        for task_id, channel, _ in found.pending_writes or ()
        if channel not in CONTROL_WRITES
    }
