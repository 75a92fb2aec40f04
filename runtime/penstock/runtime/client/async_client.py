"""How an asyncio app gets runs done by workers."""

from __future__ import annotations

__all__ = ["AsyncClient"]

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from penstock.runtime.client.async_thread import AsyncThreadHandle
from penstock.runtime.client.client import wanted_run
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.client.thread import thread_name
from penstock.runtime.client.transport import AsyncTransport
from penstock.runtime.journal.run_input import Accepting
from penstock.runtime.redis.calls import OnBusy
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.types.durability import Durability
from penstock.runtime.types.run_filter import RunFilter, RunPage, RunQuery, StatusQuery
from penstock.runtime.types.tags import Tags
from penstock.runtime.workflow.entrypoint import Entrypoint


class AsyncClient(AsyncTransport):
    """The `Client` of asyncio code: `async with AsyncClient(url) as client`.

    All streams of a client share one subscribed connection.
    """

    async def enqueue(
        self,
        entrypoint: Entrypoint[Any, Any] | Accepting | str,
        input: Any,
        *,
        thread_id: str | None = None,
        run_id: str | None = None,
        queue: str | None = None,
        on_busy: OnBusy = "queue",
        context: Any = None,
        config: Mapping[str, Any] | None = None,
        tags: Tags | None = None,
        durability: Durability = "async",
    ) -> AsyncRunHandle:
        """As `Client.enqueue`."""
        options = Wanted(
            "",
            None,
            thread_id=thread_id,
            run_id=run_id,
            queue=self.settings.queue if queue is None else queue,
            on_busy=on_busy,
            context=context,
            config=config or {},
            tags=tags or {},
            durability=durability,
        )
        wanted = wanted_run(entrypoint, input, options)
        return AsyncRunHandle(self, *await self.do(self.threads.changes.enqueue(wanted)))

    async def get(self, run_id: str) -> AsyncRunHandle:
        """As `Client.get`."""
        run = await self.do(self.plans.info(run_id))
        return AsyncRunHandle(self, run_id, run.thread_id)

    async def runs(
        self,
        status: str | Iterable[str] | None = None,
        limit: int = 100,
        *,
        after: str | None = None,
        **query: Unpack[RunQuery],
    ) -> RunPage:
        """As `Client.runs`."""
        wanted = RunFilter.of(status=status, **query)
        return await self.do(self.search.page(wanted, limit, after))

    async def count(self, **query: Unpack[StatusQuery]) -> int:
        """As `Client.count`."""
        return await self.do(self.search.count(RunFilter.of(**query)))

    async def counts(self, by: str = "status", **query: Unpack[StatusQuery]) -> dict[str, int]:
        """As `Client.counts`."""
        return await self.do(self.search.counts(RunFilter.of(**query), by))

    def thread(self, thread_id: str) -> AsyncThreadHandle:
        """As `Client.thread`."""
        return AsyncThreadHandle(self, thread_name(thread_id))
