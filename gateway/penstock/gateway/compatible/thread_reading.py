"""Reads threads and their states, with what a chat shows that is not over."""

from __future__ import annotations

__all__ = ["ReadState", "ThreadReader", "shown_as"]

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.gateway.compatible.open_chat import chat_values, is_open_chat
from penstock.gateway.compatible.run_inputs import read_inputs
from penstock.gateway.compatible.state_view import state_view
from penstock.gateway.compatible.thread_view import thread_view
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.errors import ThreadNotFoundError
from penstock.runtime.redis.plans.snapshots import no_snapshot
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.plans.thread_search import ThreadSearch
from penstock.runtime.redis.plans.thread_standing import read_standing
from penstock.runtime.types.state import CheckpointRef, StateSnapshot
from penstock.runtime.types.thread_record import ThreadRecord

_SHOWN = ("graph_id", "assistant_id")
"""What of a thread's metadata is shown with its states."""

AT_ONCE: Final = 16
"""States that one request reads at once."""


@dataclass(frozen=True, slots=True)
class ReadState:
    """A state, and the values that are shown of it."""

    snapshot: StateSnapshot
    values: Any


class ThreadReader:
    """Reads from one Redis."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
        self.search = ThreadSearch(self.records)

    async def record(self, thread_id: str) -> ThreadRecord:
        """Read a thread; of one that has no record, what is known of its runs.

        Raises:
            ThreadNotFoundError: nobody knows it.
        """
        found = await self._client.do(self.records.find(thread_id))
        if found is None:
            found = await self._client.do(read_standing(self._client.plans, thread_id))
        if found is None:
            raise ThreadNotFoundError(f"no thread {thread_id!r}.")
        return found

    async def state(self, ref: CheckpointRef, *, subgraphs: bool = False) -> ReadState:
        """Read a state of a thread, an empty one if there is none."""
        client = self._client
        snapshot = await client.do(client.threads.state(ref, subgraphs=subgraphs))
        (read,) = await self.with_values([snapshot])
        return read

    async def history(
        self,
        ref: CheckpointRef,
        wanted: Mapping[str, Any],
        limit: int,
    ) -> list[ReadState]:
        """Read states of a thread, the newest first, before a checkpoint if one is named."""
        place: Any = {
            "configurable": {
                "checkpoint_id": ref.checkpoint_id,
                "checkpoint_ns": ref.namespace,
            }
        }
        thread = self._client.thread(ref.thread_id)
        states = [state async for state in thread.history(filter=wanted, before=place, limit=limit)]
        return await self.with_values(states)

    async def with_values(self, states: Sequence[StateSnapshot]) -> list[ReadState]:
        """Add the values that are shown of each state."""
        chats = [state.run_id for state in states if is_open_chat(state)]
        given = await self._client.do(read_inputs(self._client.plans, chats))
        inputs = dict(zip(chats, given, strict=True))
        return [
            ReadState(state, chat_values(state, inputs[state.run_id]))
            if is_open_chat(state)
            else ReadState(state, state.values)
            for state in states
        ]

    async def newest(self, thread_id: str) -> ReadState:
        """Read the newest state of a thread."""
        return await self.state(CheckpointRef(thread_id))

    async def newest_of(self, thread_ids: Sequence[str]) -> list[ReadState]:
        """Read the newest states of threads, several at once."""
        found: list[ReadState] = []
        for at in range(0, len(thread_ids), AT_ONCE):
            some = [self.newest(each) for each in thread_ids[at : at + AT_ONCE]]
            found += await asyncio.gather(*some)
        return found

    async def thread(self, thread_id: str, *, has_ttl: bool = False) -> dict[str, Any]:
        """Return a thread as clients know it.

        Raises:
            ThreadNotFoundError: nobody knows it.
        """
        return await self.shown_thread(await self.record(thread_id), has_ttl=has_ttl)

    async def shown_thread(self, record: ThreadRecord, *, has_ttl: bool = False) -> dict[str, Any]:
        """Return a thread as clients know it."""
        return shown_as(record, await self.newest(record.thread_id), has_ttl=has_ttl)

    @staticmethod
    def shown(read: ReadState, record: ThreadRecord) -> dict[str, Any]:
        """Return a state as clients know it."""
        metadata = {name: record.metadata[name] for name in _SHOWN if name in record.metadata}
        found: dict[str, Any] = plain(state_view(read.snapshot, metadata, read.values))
        return found


def shown_as(
    record: ThreadRecord, read: ReadState | None, *, has_ttl: bool = False
) -> dict[str, Any]:
    """Return a thread as clients know it; without its state where that was not read."""
    if read is None:
        read = ReadState(no_snapshot(CheckpointRef(record.thread_id)), None)
    found: dict[str, Any] = plain(thread_view(record, read.snapshot, read.values, has_ttl=has_ttl))
    return found
