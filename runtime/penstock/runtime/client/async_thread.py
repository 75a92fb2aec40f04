"""The handle of a thread for asyncio code."""

from __future__ import annotations

__all__ = ["AsyncThreadHandle"]

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.runtime.client.run import AsyncRunHandle, RunHandle
from penstock.runtime.client.thread import ref_of, run_id_of, thread_name
from penstock.runtime.client.thread_stream import AsyncThreadStream
from penstock.runtime.client.transport import AsyncTransport
from penstock.runtime.errors import RunFailedError
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.redis.plans.copy_thread import copy_thread
from penstock.runtime.redis.plans.fork_run import fork_run
from penstock.runtime.redis.plans.graph_updates import PATIENCE, call, no_worker, refused
from penstock.runtime.types.config import Config
from penstock.runtime.types.graph_update import GraphUpdate
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.state import (
    StateSnapshot,
    StateUpdate,
    checkpoint_config,
)


class AsyncThreadHandle:
    """A thread, from asyncio code: `client.thread("t")`."""

    def __init__(self, client: AsyncTransport, thread_id: str) -> None:
        self._client = client
        self._thread_id = thread_id

    @property
    def thread_id(self) -> str:
        """The thread's id."""
        return self._thread_id

    async def state(
        self, checkpoint: Config | str = "", *, subgraphs: bool = False
    ) -> StateSnapshot:
        """As `ThreadHandle.state`."""
        ref = ref_of(self._thread_id, checkpoint)
        return await self._client.do(self._client.threads.state(ref, subgraphs=subgraphs))

    def stream(
        self,
        stream_mode: str | Sequence[str] = "updates",
        *,
        after: str | None = None,
        subgraphs: bool = False,
    ) -> AsyncThreadStream:
        """As `ThreadHandle.stream`; it begins when it is first asked for an event."""
        return AsyncThreadStream(self._client, self._thread_id, stream_mode, after, subgraphs)

    async def history(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        before: Config | str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StateSnapshot]:
        """As `ThreadHandle.history`."""
        threads, left, ref = self._client.threads, limit, ref_of(self._thread_id, before or "")
        while left is None or left > 0:
            page = threads.history(ref, filter or {}, left)
            states, following = await self._client.do(page)
            for state in states[:left]:
                yield state
            if not following:
                return
            ref = replace(ref, checkpoint_id=following)
            left = None if left is None else left - len(states)

    async def update(
        self, values: Any, checkpoint: Config | str = "", *, as_node: str | None = None
    ) -> dict[str, Any]:
        """As `ThreadHandle.update`."""
        threads, ref = self._client.threads, ref_of(self._thread_id, checkpoint)
        change = threads.changes.change(ref)
        made = await self._client.do(threads.changes.update(change, values, as_node))
        if isinstance(made, GraphHost):
            made = await self._update_graph(
                made, GraphUpdate.of(ref, [[StateUpdate(values, as_node)]])
            )
        return checkpoint_config(self._thread_id, made, ref.namespace)

    async def bulk_update(
        self, supersteps: Sequence[Sequence[StateUpdate]], checkpoint: Config | str = ""
    ) -> dict[str, Any]:
        """As `ThreadHandle.bulk_update`."""
        ref = ref_of(self._thread_id, checkpoint)
        update = GraphUpdate.of(ref, supersteps)
        host = await self._client.do(self._client.threads.changes.graph_host(self._thread_id))
        point_id = await self._update_graph(host, update)
        return checkpoint_config(self._thread_id, point_id, ref.namespace)

    async def _update_graph(self, host: GraphHost, update: GraphUpdate) -> str:
        client = self._client
        run_id = await client.do(call(client.plans, client.settings, host, update))
        run = AsyncRunHandle(client, run_id, run_id)
        try:
            return str(await run.result(PATIENCE))
        except TimeoutError:
            await run.cancel()
            raise no_worker(host, update) from None
        except RunFailedError as error:
            raise refused(update, error) from error.__cause__

    async def resume(self, answer: Any = NOTHING) -> AsyncRunHandle:
        """As `ThreadHandle.resume`."""
        run_id = await self._client.do(self._client.threads.resume(self._thread_id, answer))
        return AsyncRunHandle(self._client, run_id, self._thread_id)

    async def fork(
        self, run: RunHandle | AsyncRunHandle | str, *, after_step: str | None = None
    ) -> AsyncRunHandle:
        """As `ThreadHandle.fork`."""
        client = self._client
        run_id = run_id_of(run)
        plan = fork_run(client.threads, client.settings, (self._thread_id, run_id), after_step)
        return AsyncRunHandle(client, *await client.do(plan))

    async def copy(self, target: str) -> AsyncThreadHandle:
        """As `ThreadHandle.copy`."""
        name = thread_name(target)
        await self._client.do(copy_thread(self._client.threads, self._thread_id, name))
        return AsyncThreadHandle(self._client, name)

    async def delete(self) -> None:
        """As `ThreadHandle.delete`."""
        await self._client.do(self._client.threads.delete(self._thread_id))

    async def expire(self, seconds: float | None) -> None:
        """As `ThreadHandle.expire`."""
        await self._client.do(self._client.threads.expire(self._thread_id, seconds))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._thread_id}>"
