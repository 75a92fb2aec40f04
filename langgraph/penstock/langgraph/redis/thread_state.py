"""States of a graph's threads, made of what is stored of points, without LangGraph. No IO."""

from __future__ import annotations

__all__ = ["PointState"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.langgraph.redis.channels import (
    BARE,
    CONTROL_WRITES,
    ERROR,
    INTERRUPT,
    NULL_TASK,
    RETURN,
)
from penstock.langgraph.redis.point import Point, Write
from penstock.langgraph.redis.snapshot import Snapshot, is_own
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.state import StateSnapshot, StateTask, checkpoint_config


@dataclass(slots=True)
class _Task:
    """What a task has written since its point."""

    output: list[Write] = field(default_factory=list[Write])
    interrupts: list[Interrupt] = field(default_factory=list[Interrupt])
    error: str | None = None

    def take(self, write: Write) -> None:
        """Take a write, in their order."""
        if write.channel == INTERRUPT:
            asked: Any = write.value
            self.interrupts += map(_interrupt, asked if isinstance(write.value, list) else [asked])
        elif write.channel == ERROR:
            self.error = self.error or str(write.value)
        elif write.channel not in CONTROL_WRITES:
            self.output.append(write)


@dataclass(frozen=True, slots=True)
class PointState:
    """A point, and what is told of it, as people see it.

    The state at a named point is a record of its superstep: values as it began, all of its tasks,
    all that they asked. The state of a thread is that of its newest point as it stands: with what
    tasks have finished since, without those, and with the questions that are open.
    """

    point: Point
    snapshot: Snapshot
    applied: Mapping[str, Any]
    """Values with what finished tasks have written, of the channels that these have written to."""
    states: Mapping[str, Any]
    """Of tasks that are graphs themselves, by id: their states, or configs that find these."""
    is_live: bool
    """Whether it is the state of a thread, not that at a named point."""

    def shown(self) -> StateSnapshot:
        """Return it as LangGraph's `get_state` shows it, with plain data for values."""
        point, metadata = self.point, dict(self.point.metadata)
        statuses = self._statuses()
        thread_id, namespace = point.space.thread_id, point.space.namespace
        tasks = tuple(
            self._task(task.id, task.name, statuses.get(task.id, _Task()))
            for task in self.snapshot.tasks
        )
        return StateSnapshot(
            values=self._values(),
            next=tuple(
                task.name for task in self.snapshot.tasks if not self._is_over(statuses, task.id)
            ),
            config=checkpoint_config(thread_id, point.id, namespace),
            metadata=metadata,
            created_at=point.checkpoint.get("ts"),
            parent_config=(
                checkpoint_config(thread_id, point.parent, namespace) if point.parent else None
            ),
            tasks=tasks,
            interrupts=tuple(each for task in tasks for each in task.interrupts),
            run_id=str(metadata.get("run_id") or ""),
        )

    def _statuses(self) -> Mapping[str, _Task]:
        tasks: dict[str, _Task] = {}
        for write in self.point.writes:
            if write.task_id != NULL_TASK:
                tasks.setdefault(write.task_id, _Task()).take(write)
        return tasks

    def _is_over(self, statuses: Mapping[str, _Task], task_id: str) -> bool:
        return self.is_live and task_id in statuses and bool(statuses[task_id].output)

    def _values(self) -> Any:
        stored: Mapping[str, Any] = self.point.checkpoint["channel_values"]
        if self.is_live or not self.point.writes:
            stored = {**stored, **self.applied}
        if bare := self._bare():
            return stored.get(bare)
        if not self.snapshot.is_named:
            return None
        shown = {**self.snapshot.empty, **stored}
        return {name: value for name, value in shown.items() if not is_own(name)}

    def _bare(self) -> str:
        """Return the channel that is shown by itself, "" for graphs whose values have names."""
        versions: Collection[str] = self.point.checkpoint["channel_versions"]
        return next((name for name in BARE if name in versions or name in self.applied), "")

    def _task(self, task_id: str, name: str, task: _Task) -> StateTask:
        is_asking = not (self.is_live and task.output)
        return StateTask(
            id=task_id,
            name=name,
            error=task.error,
            interrupts=tuple(task.interrupts) if is_asking else (),
            state=self.states.get(task_id),
            result=self._result(task.output) if task.output else None,
        )

    def _result(self, output: Sequence[Write]) -> Any:
        for write in output:
            if write.channel == RETURN:
                return write.value
        result: dict[str, Any] = {}
        for name in dict.fromkeys(write.channel for write in output):
            values = [write.value for write in output if write.channel == name]
            result[name] = values[0] if len(values) == 1 else {"$writes": values}
        if self._bare() or not self.snapshot.is_named:
            return next((result[name] for name in BARE if name in result), None)
        return {name: value for name, value in result.items() if not is_own(name)}


def _interrupt(record: Mapping[str, Any]) -> Interrupt:
    return Interrupt(record["value"], record["id"], record.get("response_schema"))
