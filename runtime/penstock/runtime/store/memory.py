"""The store that keeps its items in this process."""

from __future__ import annotations

__all__ = ["InMemoryStore"]

from functools import cached_property
from typing import Any

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.pool import MOST_IN_MEMORY
from penstock.publisher.redis.script import Call
from penstock.runtime.settings import Settings
from penstock.runtime.store.plan import Commands
from penstock.runtime.store.redis import RedisStore
from penstock.runtime.store.search.embedding import IndexConfig
from penstock.runtime.store.ttl import TTLConfig


class InMemoryStore(RedisStore):
    """Store in memory: the Redis code on an emulated server of its own."""

    def __init__(
        self,
        *,
        index: IndexConfig | None = None,
        ttl: TTLConfig | None = None,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(index=index, ttl=ttl, settings=settings, codec=codec)

    @cached_property
    def connection(self) -> Redis:
        """The emulated server, made at first use."""
        from fakeredis import FakeRedis

        from penstock.runtime.store.emulated import EmulatedServer

        return FakeRedis(server=EmulatedServer(), max_connections=MOST_IN_MEMORY)

    async def _asend(self, request: Call | Commands) -> Any:
        return self._send(request)  # nothing to wait for
