"""Changes of the state of a thread."""

from __future__ import annotations

__all__ = ["check_supersteps", "make_supersteps", "update_state"]

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.gateway.compatible.thread_bodies import Supersteps
from penstock.gateway.errors import RequestError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.types.state import CheckpointRef, checkpoint_config
from penstock.runtime.types.thread_record import ThreadRecord


async def update_state(
    client: AsyncClient, record: ThreadRecord, ref: CheckpointRef, values: Any, as_node: str | None
) -> dict[str, Any]:
    """Change a state; returns the config that names the new checkpoint.

    Raises:
        RequestError: the thread is for a graph that was not executed on it yet.
    """
    if not record.run_id:
        await _check_graph(client, record.metadata)
    place = checkpoint_config(ref.thread_id, ref.checkpoint_id, ref.namespace)
    node = None if as_node == record.metadata.get("graph_id") else as_node
    return await client.thread(ref.thread_id).update(values, place, as_node=node)


async def check_supersteps(
    client: AsyncClient, metadata: Mapping[str, Any], supersteps: Sequence[Supersteps]
) -> None:
    """Check that a new thread may be given states.

    Raises:
        RequestError: an update is a command, or the thread is for a graph.
    """
    if any(update.command for step in supersteps for update in step.updates):
        raise RequestError(422, "supersteps: an update is given by values and as_node.")
    if supersteps:
        await _check_graph(client, metadata)


async def make_supersteps(
    client: AsyncClient, record: ThreadRecord, supersteps: Sequence[Supersteps]
) -> None:
    """Give a new thread states, one for each update."""
    ref = CheckpointRef(record.thread_id)
    for update in (update for step in supersteps for update in step.updates):
        await update_state(client, record, ref, update.values, update.as_node)


async def _check_graph(client: AsyncClient, metadata: Mapping[str, Any]) -> None:
    name = metadata.get("graph_id")
    if not isinstance(name, str):
        return
    (description,) = await client.do(read_descriptions(client.plans, [name]))
    if description.is_graph:
        raise RequestError(
            422, f"a thread of graph {name!r} has no state to change before the first run on it."
        )
