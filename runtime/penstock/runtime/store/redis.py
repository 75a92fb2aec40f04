"""The store that keeps its items in Redis."""

from __future__ import annotations

__all__ = ["RedisStore"]

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from functools import cached_property
from typing import Any, cast

from redis import Redis
from redis import asyncio as aredis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import afollow, follow
from penstock.publisher.redis.retries import awith_retries, with_retries
from penstock.publisher.redis.script import Call, arun, run
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.store.connections import Connections, Served
from penstock.runtime.store.item import Op, Result
from penstock.runtime.store.keys import StoreKeys
from penstock.runtime.store.plan import Commands, Request, Texts
from penstock.runtime.store.plans import StorePlans
from penstock.runtime.store.search.embedding import Index, IndexConfig
from penstock.runtime.store.store import BaseStore
from penstock.runtime.store.sweeper import Sweeper
from penstock.runtime.store.ttl import Lifetime, TTLConfig


class RedisStore(Served, BaseStore):
    """Store in Redis: `RedisStore(url, index={"dims": 384, "embed": embed})`.

    Safe to share between threads and loops. Async code ends its connections with `aclose()`.
    """

    supports_ttl = True

    def __init__(
        self,
        connection: Redis | aredis.Redis | str | None = None,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self._given = connection
        self.ttl_config = ttl
        self.index_config = index
        self._settings = settings
        self._codec = codec
        self.lifetime = Lifetime.of(ttl)
        self._index = Index.of(index)
        self._connections = Connections(lambda: self._given or self.settings.redis)
        self._sweeper: Sweeper | None = None

    @cached_property
    def settings(self) -> Settings:
        """The settings: those given, else this process's."""
        return self._settings or load_settings()

    @cached_property
    def _plans(self) -> StorePlans:
        prefix = self.settings.prefix
        codec = (self._codec or self.settings.codec()).at(prefix)
        return StorePlans(StoreKeys(prefix), codec, self._index, self.lifetime)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Execute ops.

        Raises:
            ValueError, TypeError: an op is invalid; nothing was done.
            RedisUnavailableError: Redis does not answer, or refuses.
        """
        return follow(self._plans.batch(ops), self._ask)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """As `batch`, on the running loop."""
        return await afollow(self._plans.batch(ops), self._aask)

    # -- what is over ---------------------------------------------------------------------------

    def sweep_ttl(self) -> int:
        """Remove all items that are over; returns how many that were."""
        return follow(self._plans.sweep(), self._ask)

    async def asweep_ttl(self) -> int:
        """As `sweep_ttl`, on the running loop."""
        return await afollow(self._plans.sweep(), self._aask)

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep every so often in a thread; the future is done when it was stopped."""
        if self._sweeper is None or self._sweeper.future.done():
            minutes = sweep_interval_minutes or self.lifetime.sweep_interval
            self._sweeper = Sweeper(self.sweep_ttl, minutes * 60)
        return self._sweeper.future

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stop it; returns whether it has ended within the seconds given."""
        return self._sweeper is None or self._sweeper.stop(timeout)

    # -- requests -------------------------------------------------------------------------------

    @cached_property
    def connection(self) -> Redis:
        """The connection of sync code, opened at first use."""
        return self._connections.client

    def _ask(self, request: Request) -> Any:
        if isinstance(request, Texts):
            return self._embedding.vectors(request)
        return with_retries(lambda: self._send(request), lambda: self.connection)

    async def _aask(self, request: Request) -> Any:
        if isinstance(request, Texts):
            return await self._embedding.avectors(request)
        return await awith_retries(lambda: self._asend(request), lambda: self._connections.aclient)

    def _send(self, request: Call | Commands) -> Any:
        if isinstance(request, Call):
            return run(self.connection, request)
        with self.connection.pipeline(transaction=False) as pipeline:
            for row in request.rows:
                pipeline.execute_command(*row)
            return cast(Any, pipeline.execute())

    async def _asend(self, request: Call | Commands) -> Any:
        connection = self._connections.aclient
        if isinstance(request, Call):
            return await arun(connection, request)
        async with connection.pipeline(transaction=False) as pipeline:
            for row in request.rows:
                pipeline.execute_command(*row)
            return cast(Any, await pipeline.execute())

    @property
    def _embedding(self) -> Index:
        assert self._index is not None, "only plans of a store with an index embed"
        return self._index

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop the sweeper and close the connection of sync code."""
        self.stop_ttl_sweeper()
        self._connections.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop, and all that `close` does."""
        await self._connections.aclose()
        await asyncio.to_thread(self.close)
