"""How a client reaches Redis: its connection, and plans of requests followed over it."""

from __future__ import annotations

__all__ = ["AsyncTransport", "Transport"]

import threading
from functools import cached_property
from types import TracebackType
from typing import Any, Self, TypeVar

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.hub import Hub
from penstock.publisher.plan import afollow, follow
from penstock.publisher.redis.connection import aconnect, connect
from penstock.publisher.redis.direct import DirectRedis
from penstock.runtime.redis.plans.requests import Plan, Request, RequestPlans
from penstock.runtime.redis.plans.search import SearchPlans
from penstock.runtime.redis.plans.threads import ThreadPlans
from penstock.runtime.redis.transport import aask, ask
from penstock.runtime.settings import Settings, load_settings

T = TypeVar("T")


class Transport:
    """The connection of a client; safe to share between threads."""

    def __init__(
        self,
        redis: Redis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.settings = settings or load_settings(
            {"redis": redis if isinstance(redis, str) else None}
        )
        self.codec = codec or self.settings.codec()
        self.connection = connect(self.settings.redis if redis is None else redis)
        self.plans = RequestPlans(self.settings, self.codec, self.connection)
        self.threads = ThreadPlans(self.plans, self.settings)
        self.search = SearchPlans(self.plans.keys, self.plans.codec, self.settings.index)
        self._asking = DirectRedis(self.connection)
        self._making = threading.Lock()
        self._blocking: Redis | None = None

    @property
    def blocking(self) -> Redis:
        """Connections for calls that wait in Redis: they take none away from other calls."""
        with self._making:
            if self._blocking is None:
                self._blocking = connect(self.connection)
            return self._blocking

    def do(self, plan: Plan[T]) -> T:
        """Follow a plan of requests."""
        return follow(plan, self._ask)

    def _ask(self, request: Request) -> Any:
        return ask(self._asking, request)

    def close(self) -> None:
        """Close the client's connections."""
        self._asking.close()
        if self._blocking is not None:
            self._blocking.close()
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncTransport:
    """The connection of an asyncio client, and the one that all of its streams share."""

    def __init__(
        self,
        redis: AsyncRedis | str | None = None,
        *,
        settings: Settings | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.settings = settings or load_settings(
            {"redis": redis if isinstance(redis, str) else None}
        )
        self.codec = codec or self.settings.codec()
        given = self.settings.redis if redis is None else redis
        self.connection = aconnect(given)
        self.plans = RequestPlans(self.settings, self.codec, self.connection)
        self.threads = ThreadPlans(self.plans, self.settings)
        self.search = SearchPlans(self.plans.keys, self.plans.codec, self.settings.index)
        self.hub = Hub(given, prefix=self.settings.prefix, codec=self.codec)

    @cached_property
    def blocking(self) -> AsyncRedis:
        """As `Transport.blocking`."""
        return aconnect(self.connection)

    async def do(self, plan: Plan[T]) -> T:
        """Follow a plan of requests."""
        return await afollow(plan, self._ask)

    async def _ask(self, request: Request) -> Any:
        return await aask(self.connection, request)

    async def __aenter__(self) -> Self:
        await self.hub.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.hub.__aexit__(kind, error, traceback)
        if "blocking" in vars(self):
            await self.blocking.aclose()
        await self.connection.aclose()
