"""The state of a thread at one of its checkpoints, and updates of it."""

from __future__ import annotations

__all__ = [
    "CheckpointRef",
    "StateSnapshot",
    "StateTask",
    "StateUpdate",
    "Update",
    "checkpoint_config",
    "checkpoint_id_of",
    "namespace_of",
]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.interrupt import Interrupt


@register_type
@dataclass(frozen=True, slots=True)
class StateTask:
    """The body of a run, whose id is empty, or one of its recorded steps."""

    __stored_name__ = "penstock.runtime.StateTask"

    id: str
    name: str
    path: tuple[str, ...] = ()
    """The steps it was called in, and itself last; empty for the body."""
    error: str | None = None
    interrupts: tuple[Interrupt, ...] = ()
    """Its questions; while its run is open, those without an answer."""
    state: Any = None
    """Of a LangGraph graph's task that is a graph: its state, or a config that finds it; else None.

    The steps of a nested entrypoint are among the tasks.
    """
    result: Any = None


@register_type
@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """A thread at one checkpoint: its values, its run's steps, and what is still to run."""

    __stored_name__ = "penstock.runtime.StateSnapshot"

    values: Any
    """The last result; None before the first one, {} if the thread does not exist."""
    next: tuple[str, ...]
    """The entrypoint, if its run is not over."""
    config: Mapping[str, Any]
    metadata: Mapping[str, Any] | None = None
    """`source` (input, loop, update, fork), `step`, `parents`, and the caller's own."""
    created_at: str | None = None
    parent_config: Mapping[str, Any] | None = None
    tasks: tuple[StateTask, ...] = ()
    """Where the checkpoint is the input of a run: the body, then each recorded step."""
    interrupts: tuple[Interrupt, ...] = ()
    run_id: str = ""
    """The run that the checkpoint belongs to, "" if none."""


@register_type
@dataclass(frozen=True, slots=True)
class StateUpdate:
    """One update of `bulk_update_state`."""

    __stored_name__ = "penstock.runtime.StateUpdate"

    values: Any
    as_node: str | None = None
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRef:
    """A place in the history of a thread: one checkpoint, or "" for the newest."""

    thread_id: str
    checkpoint_id: str = ""
    namespace: str = ""
    """Of a graph's thread: the subgraph whose history it is."""


@dataclass(frozen=True, slots=True)
class Update:
    """A change of a thread that is asked for by an entrypoint, in process."""

    ref: CheckpointRef
    entrypoint: str
    values: Any
    as_node: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_accepted: bool = False
    """Whether an input among the values is validated already."""


def checkpoint_config(thread_id: str, checkpoint_id: str, namespace: str = "") -> dict[str, Any]:
    """Return the config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def namespace_of(place: object) -> str:
    """Return the namespace of a subgraph that a config names, "" if none."""
    if not isinstance(place, Mapping):
        return ""
    config = cast("Mapping[str, Any]", place)
    return str(config.get("configurable", {}).get("checkpoint_ns") or "")


def checkpoint_id_of(place: object) -> str:
    """Return the checkpoint that an id, a config or a snapshot names, "" if none."""
    if isinstance(place, StateSnapshot):
        place = place.config
    if isinstance(place, Mapping):
        config = cast("Mapping[str, Any]", place)
        place = config.get("configurable", {}).get("checkpoint_id")
    return "" if place is None else str(place)
