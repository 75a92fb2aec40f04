"""Plans that read the states of a graph's threads, without the graph and without LangGraph."""

from __future__ import annotations

__all__ = ["GraphStates"]

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from penstock.langgraph.redis.calls import TOLD, Plan
from penstock.langgraph.redis.keys import Space, applied_field
from penstock.langgraph.redis.namespace import nodes_of
from penstock.langgraph.redis.plain_values import PlainSerializer
from penstock.langgraph.redis.plans import reading, threads
from penstock.langgraph.redis.snapshot import Snapshot
from penstock.langgraph.redis.storage import Storage
from penstock.langgraph.redis.thread_state import PointState
from penstock.runtime.settings import Settings
from penstock.runtime.types.state import CheckpointRef, StateSnapshot

PAGE: Final = 20
"""States of a history that are read in one request."""


class GraphStates:
    """The plans for one Redis."""

    def __init__(self, settings: Settings) -> None:
        self._storage = Storage.of(settings, PlainSerializer())

    def state(self, ref: CheckpointRef, *, subgraphs: bool = False) -> Plan[StateSnapshot | None]:
        """Return the state of a thread, or at one of its points; None if there is none."""
        space, calls = Space(ref.thread_id, ref.namespace), self._storage.calls
        point_id = ref.checkpoint_id
        call = (
            calls.points(space, [point_id], TOLD) if point_id else calls.newest(space, 1, "", TOLD)
        )
        for read in reading.read_points(self._storage, space, (yield call)):
            return (yield from self._shown(read, is_live=not point_id, deep=subgraphs))
        return None

    def history(
        self, ref: CheckpointRef, wanted: Mapping[str, Any], limit: int | None = None
    ) -> Plan[tuple[list[StateSnapshot], str]]:
        """Read a page of a history: at most so many states before a point ("" for all).

        The newest comes first. Also returns before which one the next page
        is, "" for no more.
        """
        listing = reading.Listing(
            self._storage,
            Space(ref.thread_id, ref.namespace),
            before=ref.checkpoint_id,
            matches=partial(_has, wanted) if wanted else None,
            depth=TOLD,
            size=PAGE,
        )
        states: list[StateSnapshot] = []
        for read in (yield from listing.page(limit)):
            states.append((yield from self._shown(read, is_live=False, deep=False)))
        return states, "" if listing.is_over else listing.before

    def copy(self, source: str, target: str, nonce: str) -> Plan[None]:
        """Give a thread all that another one has.

        Raises:
            ConfigurationError: it has a state already.
        """
        return threads.copy(self._storage, source, target, nonce)

    def keep_latest(self, thread_id: str) -> Plan[bool]:
        """Delete the points of a thread but the newest, and those that it needs.

        Tells whether no run was open on it.
        """
        return threads.keep_latest(self._storage, thread_id)

    def delete(self, thread_id: str) -> Plan[None]:
        """Delete a thread."""
        return threads.delete(self._storage, thread_id)

    def _shown(self, read: reading.Read, *, is_live: bool, deep: bool) -> Plan[StateSnapshot]:
        told, applied = read.told
        snapshot = Snapshot.parse(told) if told else Snapshot()
        state = PointState(
            read.point,
            snapshot,
            self._applied(read.point.space, read.point.id, applied) if applied else {},
            (yield from self._states(read.point.space, snapshot, deep=deep)),
            is_live,
        )
        return state.shown()

    def _applied(self, space: Space, point_id: str, record: bytes) -> Mapping[str, Any]:
        typed = self._storage.records.read(space, applied_field(point_id), record)
        values: Mapping[str, Any] = self._storage.values.loads(typed, f"values of point {point_id}")
        return values

    def _states(self, space: Space, snapshot: Snapshot, *, deep: bool) -> Plan[Mapping[str, Any]]:
        """Return the states of tasks that are graphs, or configs that find these."""
        states: dict[str, Any] = {}
        for task in snapshot.tasks:
            if not task.is_graph:
                continue
            inner = "|".join(filter(None, (space.namespace, f"{task.name}:{task.id}")))
            place = {"thread_id": space.thread_id, "checkpoint_ns": inner}
            states[task.id] = {"configurable": place}
            if deep:
                found = yield from self._state_of_graph(space.thread_id, inner)
                empty = StateSnapshot(values={}, next=(), config=states[task.id])
                states[task.id] = found or empty
        return states

    def _state_of_graph(self, thread_id: str, namespace: str) -> Plan[StateSnapshot | None]:
        """Return the state of a graph in a task; one that remembers has that of all its tasks."""
        for name in (namespace, nodes_of(namespace)):
            ref = CheckpointRef(thread_id, namespace=name)
            found = yield from self.state(ref, subgraphs=True)
            if found is not None:
                return found
        return None


def _has(wanted: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    return all(metadata.get(name) == value for name, value in wanted.items())
