"""Updates of a thread's state that somebody asks for between its runs."""

from __future__ import annotations

__all__ = ["update_thread"]

from typing import Any

from langgraph.types import StateSnapshot

from penstock.langgraph.hosting.breakpoints import Breakpoint
from penstock.langgraph.hosting.graph import Graph
from penstock.langgraph.hosting.live_values import live_values
from penstock.langgraph.hosting.update_saver import UpdateSaver
from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.snapshot import Snapshot, SnapshotTask
from penstock.runtime.errors import UnknownCheckpointError
from penstock.runtime.types.graph_update import GraphUpdate


async def update_thread(graph: Graph, saver: UpdateSaver, update: GraphUpdate) -> Breakpoint:
    """Update the state of a thread; returns the point that this has made, as one to go on from.

    Raises:
        UnknownCheckpointError: the thread has no such point.
        ThreadBusyError: a run is at work on the thread.
        InvalidUpdateError: LangGraph's, where the graph cannot take it.
    """
    configurable = {"thread_id": update.thread_id, "checkpoint_ns": update.namespace}
    if update.checkpoint_id:
        configurable["checkpoint_id"] = update.checkpoint_id
        if await saver.aget_tuple({"configurable": configurable}) is None:
            raise UnknownCheckpointError(
                f"thread {update.thread_id!r} has no checkpoint {update.checkpoint_id!r}: it never "
                "had, or it is no longer kept (setting history)."
            )
    config = await graph.aupdate_state(
        {"configurable": configurable}, update.values, as_node=update.as_node
    )
    found = await saver.aget_tuple(config)
    snapshot = await graph.aget_state(config)
    made = config.get("configurable", {})
    namespace, point_id = made.get("checkpoint_ns") or "", str(made["checkpoint_id"])
    space = Space(update.thread_id, namespace)
    if found is not None:
        await saver.atell(space, point_id, _told(snapshot), live_values(found, snapshot))
    return Breakpoint(namespace, point_id, snapshot.next)


def _told(snapshot: StateSnapshot) -> Snapshot:
    tasks: list[Any] = [
        SnapshotTask(task.id, task.name, task.state is not None) for task in snapshot.tasks
    ]
    return Snapshot.of(tasks, snapshot.values)
