"""Updates of a thread's state that somebody asks for between its runs."""

from __future__ import annotations

__all__ = ["tell_update", "update_thread"]

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from langgraph.types import StateSnapshot, StateUpdate

from penstock.langgraph.hosting.breakpoints import Breakpoint
from penstock.langgraph.hosting.graph import Graph
from penstock.langgraph.hosting.live_values import live_values
from penstock.langgraph.hosting.update_saver import UpdateSaver
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.snapshot import Snapshot, SnapshotTask
from penstock.runtime.errors import UnknownCheckpointError
from penstock.runtime.types.graph_update import GraphUpdate

_Told: TypeAlias = tuple[Space, str, Snapshot, Mapping[str, Any]]
"""A point, and what readers see of it."""


async def update_thread(graph: Graph, saver: UpdateSaver, update: GraphUpdate) -> None:
    """Update the state of a thread.

    Raises:
        UnknownCheckpointError: the thread has no such point.
        ThreadBusyError: a run is at work on the thread.
        InvalidUpdateError: LangGraph's, where the graph cannot take it; supersteps that come before
            what it cannot take are stored.
    """
    configurable: dict[str, Any] = {
        "thread_id": update.thread_id,
        "checkpoint_ns": update.namespace,
    }
    if update.checkpoint_id:
        configurable["checkpoint_id"] = update.checkpoint_id
        if await saver.aget_tuple({"configurable": configurable}) is None:
            raise UnknownCheckpointError(
                f"thread {update.thread_id!r} has no checkpoint {update.checkpoint_id!r}: it never "
                "had, or it is no longer kept (setting history)."
            )
    supersteps = [
        [StateUpdate(each.values, each.as_node, each.task_id) for each in updates]
        for updates in update.supersteps
    ]
    await graph.abulk_update_state({"configurable": configurable}, supersteps)


async def tell_update(
    graph: Graph, saver: UpdateSaver, before_last: Callable[[Breakpoint], Awaitable[None]]
) -> Breakpoint | None:
    """Store what readers without the graph see of the points that an update has made.

    `before_last` is called with the last one, as one to go on from, before it is told: until then
    another attempt finds it. Returns the last one; None if there is none.
    """
    last: Breakpoint | None = None
    ahead: _Told | None = None
    for config in saver.made:
        found = await saver.aget_tuple(config)
        if found is None:
            continue
        if ahead is not None:
            await saver.atell(*ahead)
        snapshot = await graph.aget_state(config)
        place: dict[str, Any] = config.get("configurable", {})
        space, point_id = Space(place["thread_id"], place["checkpoint_ns"]), place["checkpoint_id"]
        ahead = space, point_id, _told(snapshot), live_values(found, snapshot)
        last = Breakpoint(space.namespace, point_id, snapshot.next)
    if last is not None and ahead is not None:
        await before_last(last)
        await saver.atell(*ahead)
    return last


def _told(snapshot: StateSnapshot) -> Snapshot:
    tasks: list[Any] = [
        SnapshotTask(task.id, task.name, task.state is not None) for task in snapshot.tasks
    ]
    return Snapshot.of(tasks, snapshot.values)
