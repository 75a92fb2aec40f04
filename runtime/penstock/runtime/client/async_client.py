"""How an asyncio app gets runs done by workers."""

from __future__ import annotations

__all__ = ["AsyncClient"]

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, Unpack

from penstock.runtime.client.async_thread import AsyncThreadHandle
from penstock.runtime.client.client import wanted_run
from penstock.runtime.client.enqueue_span import enqueue_span
from penstock.runtime.client.feed import AsyncFeed
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.client.thread import run_id_of, thread_name
from penstock.runtime.client.transport import AsyncTransport
from penstock.runtime.client.webhooks import AsyncWebhooks
from penstock.runtime.journal.run_input import Accepting
from penstock.runtime.redis.calls import OnBusy
from penstock.runtime.redis.plans.bulk import Bulk
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.failures import failures
from penstock.runtime.redis.plans.queues import queue_states
from penstock.runtime.types.breakpoints import Nodes, with_breakpoints
from penstock.runtime.types.bulk import (
    BULK,
    BulkAction,
    BulkOptions,
    BulkProgress,
    bulk_order,
)
from penstock.runtime.types.durability import Durability
from penstock.runtime.types.failure_group import FailureGroup
from penstock.runtime.types.feed_entry import FeedQuery, feed_filter
from penstock.runtime.types.queue import checked_queue
from penstock.runtime.types.run_filter import RunFilter, RunPage, RunQuery, StatusQuery
from penstock.runtime.types.tags import Tags
from penstock.runtime.workflow.entrypoint import Entrypoint


class AsyncClient(AsyncTransport):
    """The `Client` of asyncio code: `async with AsyncClient(url) as client`.

    All streams of a client share one subscribed connection.
    """

    @property
    def webhooks(self) -> AsyncWebhooks:
        """The webhooks: URLs that are told of changes of runs."""
        return AsyncWebhooks(self)

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
        retention: float | None = None,
        retention_failed: float | None = None,
        durability: Durability = "async",
        interrupt_before: Nodes | None = None,
        interrupt_after: Nodes | None = None,
        webhook: str | None = None,
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
            config=with_breakpoints(config or {}, interrupt_before, interrupt_after),
            tags=tags or {},
            retention=retention,
            retention_failed=retention_failed,
            durability=durability,
            webhook=webhook,
        )
        wanted = wanted_run(entrypoint, input, options)
        with enqueue_span(self.settings, wanted) as traced:
            return AsyncRunHandle(self, *await self.do(self.threads.changes.enqueue(traced)))

    async def get(self, run_id: str) -> AsyncRunHandle:
        """As `Client.get`."""
        run = await self.do(self.plans.info(run_id))
        return AsyncRunHandle(self, run_id, run.thread_id)

    async def unpin(self, run: AsyncRunHandle | str) -> None:
        """As `Client.unpin`."""
        await self.do(self.plans.unpin(run_id_of(run)))

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

    async def failures(self, limit: int = 100, *, cause: str | None = None) -> list[FailureGroup]:
        """As `Client.failures`."""
        return await self.do(failures(self.search, limit, cause))

    def bulk(
        self,
        action: BulkAction,
        *,
        rate: float = 100.0,
        dry_run: bool = False,
        all: bool = False,
        accept: str | Iterable[str] = (),
        forget: str | Iterable[str] = (),
        after_step: str | None = None,
        **query: Unpack[StatusQuery],
    ) -> AsyncGenerator[BulkProgress]:
        """As `Client.bulk`."""
        given = BulkOptions(rate=rate, all=all, accept=accept, forget=forget, after_step=after_step)
        order = bulk_order(action, query, **given)
        return self._each_step(Bulk(self.threads, self.search, self.settings, order, dry_run))

    async def start_bulk(
        self,
        action: BulkAction,
        *,
        rate: float = 100.0,
        all: bool = False,
        accept: str | Iterable[str] = (),
        forget: str | Iterable[str] = (),
        after_step: str | None = None,
        worker_queue: str | None = None,
        **query: Unpack[StatusQuery],
    ) -> AsyncRunHandle:
        """As `Client.start_bulk`."""
        given = BulkOptions(rate=rate, all=all, accept=accept, forget=forget, after_step=after_step)
        order = bulk_order(action, query, **given)
        return await self.enqueue(BULK, order.written(), queue=worker_queue)

    async def _each_step(self, bulk: Bulk) -> AsyncGenerator[BulkProgress]:
        while not bulk.is_over:
            began = time.monotonic()
            progress = await self.do(bulk.step())
            yield progress
            if progress.run_ids and not bulk.is_dry and not bulk.is_over:
                due = began + len(progress.run_ids) / bulk.order.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def follow(self, *, after: str | None = None, **query: Unpack[FeedQuery]) -> AsyncFeed:
        """As `Client.follow`; without a cursor it begins when it is first asked for an entry."""
        return AsyncFeed(self, feed_filter(**query), after)

    async def backlog(self, queue: str | None = None) -> int:
        """As `Client.backlog`."""
        name = checked_queue(self.settings.queue if queue is None else queue)
        (state,) = await self.do(queue_states(self.plans.calls, [name]))
        return state.backlog

    def thread(self, thread_id: str) -> AsyncThreadHandle:
        """As `Client.thread`."""
        return AsyncThreadHandle(self, thread_name(thread_id))
