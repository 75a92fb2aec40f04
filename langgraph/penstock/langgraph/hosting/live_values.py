"""Values of a thread whose superstep is not over: with what tasks have written since its point.

Only reducers can tell them, which are code. So an attempt that leaves a superstep open stores them,
for readers without that code.
"""

from __future__ import annotations

__all__ = ["has_deltas", "live_values", "note_live_values"]

from collections.abc import Iterator, Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import StateSnapshot

from penstock.langgraph.hosting.graph import Graph
from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.redis.channels import BARE, CONTROL_WRITES
from penstock.langgraph.redis.plans.threads import COUNTERS


def has_deltas(graph: Graph) -> bool:
    """Tell whether a graph has channels whose values are not stored with each point."""
    return any(isinstance(channel, DeltaChannel) for channel in graph.channels.values())


async def note_live_values(graph: Graph, saver: RunSaver, config: RunnableConfig) -> None:
    """Store the values of the newest points that differ from what is stored with these."""
    head = await saver.aget_tuple(config)
    if head is None or not (_written(head) or len(await saver.anamespaces()) > 1):
        return
    for snapshot in _all(await graph.aget_state(config, subgraphs=True)):
        found = await saver.aget_tuple(snapshot.config)
        if found is not None and (values := live_values(found, snapshot)):
            saver.put_applied(found, values)


def live_values(found: CheckpointTuple, snapshot: StateSnapshot) -> Mapping[str, Any]:
    """Return the values of a point that are others than those that are stored with it."""
    return _shown(snapshot.values, _written(found))


def _all(snapshot: StateSnapshot) -> Iterator[StateSnapshot]:
    yield snapshot
    for task in snapshot.tasks:
        if isinstance(task.state, StateSnapshot) and task.state.metadata is not None:
            yield from _all(task.state)


def _written(found: CheckpointTuple) -> set[str]:
    """Return the channels whose values are others than those that are stored with a point."""
    metadata: Mapping[str, Any] = {**found.metadata}
    written = {
        channel for _, channel, _ in found.pending_writes or () if channel not in CONTROL_WRITES
    }
    return written | (metadata.get(COUNTERS) or {}).keys()


def _shown(values: Any, written: set[str]) -> Mapping[str, Any]:
    for bare in BARE:
        if bare in written:
            return {bare: values}
    named = cast("Mapping[str, Any]", values if isinstance(values, Mapping) else {})
    return {name: value for name, value in named.items() if name in written}
