"""Looking at the threads of an entrypoint, and changing their state, in this process."""

from __future__ import annotations

__all__ = ["Stateful"]

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from penstock.runtime.errors import ConfigurationError, InvalidUpdateError
from penstock.runtime.journal.checkpointer import Checkpointer
from penstock.runtime.types.config import Config, merged
from penstock.runtime.types.state import (
    CheckpointRef,
    StateSnapshot,
    StateUpdate,
    Update,
    checkpoint_config,
    checkpoint_id_of,
)
from penstock.runtime.workflow.definition import Definition


class Stateful(Definition):
    """The methods of an entrypoint for the state of its threads."""

    def get_state(self, config: Config, *, subgraphs: bool = False) -> StateSnapshot:
        """Return the state of the config's thread, at the checkpoint it names or the newest.

        A thread or checkpoint that does not exist has the values `{}`. The `tasks` include the
        steps of nested entrypoints, with `subgraphs` or without.

        Raises:
            ConfigurationError: there is no checkpointer, or the config names no thread.
        """
        return self._saver("get_state").state(self._ref(config))

    async def aget_state(self, config: Config, *, subgraphs: bool = False) -> StateSnapshot:
        """As `get_state`, without blocking the loop."""
        return await asyncio.to_thread(self.get_state, config, subgraphs=subgraphs)

    def get_state_history(
        self,
        config: Config,
        *,
        filter: Mapping[str, Any] | None = None,
        before: Config | str | None = None,
        limit: int | None = None,
    ) -> Iterator[StateSnapshot]:
        """Give the states of the config's thread, the newest first.

        `filter` has metadata that must be equal, `before` names a checkpoint to begin behind.

        Raises:
            ConfigurationError: there is no checkpointer, or the config names no thread.
        """
        saver, thread_id = self._saver("get_state_history"), self._ref(config).thread_id
        return _history(saver, thread_id, checkpoint_id_of(before), filter or {}, limit)

    async def aget_state_history(
        self,
        config: Config,
        *,
        filter: Mapping[str, Any] | None = None,
        before: Config | str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """As `get_state_history`, without blocking the loop."""
        states = self.get_state_history(config, filter=filter, before=before, limit=limit)
        while (state := await asyncio.to_thread(next, states, None)) is not None:
            yield state

    def update_state(
        self, config: Config, values: Any, as_node: str | None = None, task_id: str | None = None
    ) -> dict[str, Any]:
        """Store values as if this entrypoint had returned them.

        They complete a run that waits or has failed. `as_node` may be this entrypoint's name,
        `"__end__"` with None to cancel a pending run, `"__copy__"` to fork, or `"__input__"` to
        store an input that `invoke(None, config)` runs. Returns the config of the new checkpoint.

        Raises:
            ConfigurationError: there is no checkpointer, or the config names no thread.
            InvalidUpdateError: `as_node` names nothing of this entrypoint.
            UnknownCheckpointError: the thread has no such checkpoint.
            ThreadBusyError: a run is at work on the thread.
        """
        return self.bulk_update_state(config, [[StateUpdate(values, as_node, task_id)]])

    async def aupdate_state(
        self, config: Config, values: Any, as_node: str | None = None, task_id: str | None = None
    ) -> dict[str, Any]:
        """As `update_state`, without blocking the loop."""
        return await asyncio.to_thread(self.update_state, config, values, as_node, task_id)

    def bulk_update_state(
        self, config: Config, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> dict[str, Any]:
        """Update the thread several times: one checkpoint for each inner list.

        Raises:
            ConfigurationError: there is nothing to update, no checkpointer, or no thread.
            InvalidUpdateError: an inner list has several updates, of which one could be the result.
        """
        saver, ref = self._saver("update_state"), self._ref(config)
        metadata: dict[str, Any] = dict(merged(self.config, config).get("metadata") or {})
        updates = [self._update(ref, one, metadata) for one in map(_only, supersteps)]
        if not updates:
            raise ConfigurationError("there is no update: give at least one [StateUpdate(...)].")
        checkpoint_id = saver.update(updates)
        return checkpoint_config(ref.thread_id, checkpoint_id)

    async def abulk_update_state(
        self, config: Config, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> dict[str, Any]:
        """As `bulk_update_state`, without blocking the loop."""
        return await asyncio.to_thread(self.bulk_update_state, config, supersteps)

    def _update(self, ref: CheckpointRef, one: StateUpdate, metadata: Mapping[str, Any]) -> Update:
        is_input = one.as_node == "__input__" and one.values is not None
        values = self.accept(one.values) if is_input else one.values
        is_accepted = is_input and self.converts(None)
        return Update(ref, self.name, values, one.as_node, metadata, is_accepted)

    def _saver(self, what: str) -> Checkpointer:
        if self.checkpointer is None:
            raise ConfigurationError(
                f"No checkpointer set: {what} of entrypoint {self.name!r} needs one. Declare it "
                "with @entrypoint(checkpointer=RedisSaver(...)), or use client.thread(id)."
            )
        return self.checkpointer

    def _ref(self, config: Config) -> CheckpointRef:
        config = merged(self.config, config)
        return CheckpointRef(self.thread_of(config), checkpoint_id_of(config))


def _only(updates: Sequence[StateUpdate]) -> StateUpdate:
    if not updates:
        raise ConfigurationError("an inner list has no update: give it a StateUpdate(...).")
    if len(updates) > 1:
        raise InvalidUpdateError(
            f"{len(updates)} updates for one checkpoint, of which an entrypoint has one result: "
            "give each an inner list of its own."
        )
    return updates[0]


def _history(
    saver: Checkpointer,
    thread_id: str,
    before: str,
    wanted: Mapping[str, Any],
    limit: int | None,
) -> Iterator[StateSnapshot]:
    left = limit
    while left is None or left > 0:
        states, before = saver.history(thread_id, before, wanted)
        states = states[:left]
        yield from states
        if not before:
            return
        left = None if left is None else left - len(states)
