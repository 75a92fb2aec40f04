"""The state of a thread as LangGraph's clients know it."""

from __future__ import annotations

__all__ = ["checkpoint_view", "state_view", "tasks_of"]

from collections.abc import Mapping, Sequence
from typing import Any, cast

from penstock.gateway.compatible.task_ids import body_id
from penstock.runtime.types.state import StateSnapshot, StateTask, checkpoint_id_of, namespace_of


def checkpoint_view(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what names a checkpoint; None if a config names none."""
    if not config or not checkpoint_id_of(config):
        return None
    return {
        "thread_id": config["configurable"]["thread_id"],
        "checkpoint_ns": namespace_of(config),
        "checkpoint_id": checkpoint_id_of(config),
        "checkpoint_map": None,
    }


def state_view(
    state: StateSnapshot,
    metadata: Mapping[str, Any] | None = None,
    values: Any = None,
) -> dict[str, Any]:
    """Return a state, with `metadata` beside its own, and with other values if some are given."""
    checkpoint, parent = checkpoint_view(state.config), checkpoint_view(state.parent_config)
    values = state.values if values is None else values
    thread_id = state.config["configurable"]["thread_id"]
    own: dict[str, Any] = {**(state.metadata or {}), "thread_id": thread_id}
    if state.run_id:
        own["run_id"] = state.run_id
    return {
        "values": {} if values is None else values,
        "next": list(state.next),
        "tasks": [_task(task, state.run_id) for task in tasks_of(state)],
        "metadata": {**(metadata or {}), **own} if checkpoint else dict(metadata or {}),
        "created_at": state.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [each.as_dict() for each in state.interrupts],
        "checkpoint_id": checkpoint and checkpoint["checkpoint_id"],
        "parent_checkpoint_id": parent and parent["checkpoint_id"],
    }


def tasks_of(state: StateSnapshot) -> Sequence[StateTask]:
    """Return the tasks that are shown: of an entrypoint its body alone, with all questions."""
    return [task for task in state.tasks if not task.id] or state.tasks


def _task(task: StateTask, run_id: str) -> dict[str, Any]:
    state: Any = task.state
    checkpoint: dict[str, Any] | None = None
    if isinstance(state, StateSnapshot):
        checkpoint = checkpoint_view(state.config)
    elif isinstance(state, Mapping):
        place = cast("Mapping[str, Mapping[str, Any]]", state)["configurable"]
        checkpoint = {"checkpoint_id": None, "checkpoint_map": None, **place}
    return {
        "id": task.id or body_id(run_id),
        "name": task.name,
        "path": list(task.path),
        "error": task.error,
        "interrupts": [each.as_dict() for each in task.interrupts],
        "checkpoint": checkpoint,
        "state": state_view(state) if isinstance(state, StateSnapshot) else None,
        "result": task.result,
    }
