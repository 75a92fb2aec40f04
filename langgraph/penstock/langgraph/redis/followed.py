"""Plans of a saver, followed over Redis, in sync code and on loops."""

from __future__ import annotations

__all__ = ["Followed"]

import asyncio
from functools import cached_property
from typing import Any, TypeVar, cast

from redis import Redis

from penstock.langgraph.redis.calls import Plan, Puts, Request
from penstock.publisher.plan import afollow, follow
from penstock.publisher.redis.direct import DirectRedis
from penstock.publisher.redis.retries import awith_retries, with_retries
from penstock.publisher.redis.script import Call, arun, run
from penstock.runtime.store.connections import Connections

T = TypeVar("T")


class Followed(Connections):
    """Connections over which plans are followed."""

    def follow(self, plan: Plan[T]) -> T:
        """Follow a plan in this thread.

        Raises:
            RedisUnavailableError: Redis does not answer, or refuses.
        """
        return follow(plan, self._ask)

    async def afollow(self, plan: Plan[T]) -> T:
        """As `follow`, on the running loop."""
        return await afollow(plan, self._aask)

    def close(self) -> None:
        """Close the connection of sync code."""
        if "_direct" in self.__dict__:
            self._direct.close()
        super().close()

    async def aclose(self) -> None:
        """Close the connection of the running loop, and that of sync code."""
        await super().aclose()
        await asyncio.to_thread(self.close)

    @cached_property
    def _direct(self) -> Redis:
        return DirectRedis(self.client)

    def _ask(self, request: Request) -> Any:
        assert not isinstance(request, Puts)

        def send() -> Any:
            if isinstance(request, Call):
                return run(self._direct, request)
            return cast(Any, self._direct.execute_command(*request))

        return with_retries(send, lambda: self.client)

    async def _aask(self, request: Request) -> Any:
        assert not isinstance(request, Puts)
        connection = self.aclient

        async def send() -> Any:
            if isinstance(request, Call):
                return await arun(connection, request)
            return cast(Any, await connection.execute_command(*request))

        return await awith_retries(send, lambda: connection)
