"""The connections of an object that serves sync code and asyncio code: one, and one a loop."""

from __future__ import annotations

__all__ = ["Connections", "Served"]

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Self, TypeAlias
from weakref import WeakKeyDictionary

from redis import Redis
from redis import asyncio as aredis

from penstock.publisher.redis.connection import aconnect, connect
from penstock.runtime.store.client_kinds import async_client_for, sync_client_for

Given: TypeAlias = Redis | aredis.Redis | str


class Connections:
    """Connects at first use, in sync code and on loops."""

    def __init__(self, given: Callable[[], Given]) -> None:
        """Take a function that returns a client or a URL, which is called at first use."""
        self._given = given
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, aredis.Redis]
        self._of_loops = WeakKeyDictionary()

    @cached_property
    def client(self) -> Redis:
        """The connection of sync code."""
        return connect(sync_client_for(self._given()))

    @property
    def aclient(self) -> aredis.Redis:
        """The connection of the running loop: asyncio's connections belong to one."""
        loop = asyncio.get_running_loop()
        connection = self._of_loops.get(loop)
        if connection is None:
            connection = self._of_loops[loop] = aconnect(async_client_for(self._given()))
        return connection

    def close(self) -> None:
        """Close the connection of sync code."""
        if "client" in self.__dict__:
            self.client.close()

    async def aclose(self) -> None:
        """Close the connection of the running loop."""
        connection = self._of_loops.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.aclose()


class Served:
    """Ends its connections at the end of a `with`, and of an `async with`."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection of sync code."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections of the running loop, and all that `close` does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
