"""Pools of connections in which a call waits while all of them are taken."""

from __future__ import annotations

__all__ = ["MOST", "MOST_IN_MEMORY", "AsyncPool", "AsyncSentinelPool", "Pool", "SentinelPool"]

import asyncio
import threading
from collections import deque
from typing import Any, Final, cast

from redis import ConnectionPool
from redis import asyncio as aredis
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.exceptions import ConnectionError
from redis.sentinel import SentinelConnectionPool

MOST: Final = 100
"""Connections of one client; redis-py refuses the call that needs one more, or has no limit."""

MOST_IN_MEMORY: Final = 100_000
"""Those to an emulated server, which cost nothing: its pool refuses what goes beyond."""

_LOOK: Final = 1.0
"""Seconds after which a call that waits looks by itself."""


class _Waiting:
    """Lets a thread wait for a connection. Costs nothing as long as there is one."""

    def reset(self) -> None:
        """Begin without connections, as in a process that was forked off."""
        self._released = 0
        self._free = threading.Condition()
        cast(Any, super()).reset()

    def get_connection(self, *args: Any, **options: Any) -> Any:
        """Return a connection, once there is one."""
        while True:
            released = self._released
            try:
                return cast(Any, super()).get_connection(*args, **options)
            except ConnectionError as error:
                if not _is_full(error):
                    raise
            with self._free:
                if self._released == released:
                    self._free.wait(_LOOK)

    def release(self, connection: Any) -> None:
        """Take a connection back, for the next waiting call."""
        try:
            cast(Any, super()).release(connection)
        finally:
            with self._free:
                self._released += 1
                self._free.notify()


class _AsyncWaiting:
    """Lets an asyncio task wait for a connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        super().__init__(*args, **options)

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """Return a connection, once there is one."""
        in_line = self._waiting.append
        while True:
            try:
                return await cast(Any, super()).get_connection(*args, **options)
            except ConnectionError as error:
                if not _is_full(error):
                    raise
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            in_line(turn)
            await self._wait(turn)
            in_line = self._waiting.appendleft  # another call was quicker

    async def _wait(self, turn: asyncio.Future[None]) -> None:
        try:
            await asyncio.wait((turn,), timeout=_LOOK)
        except asyncio.CancelledError:
            if turn.done():
                self._call_next()
            raise
        finally:
            if not turn.done():
                self._waiting.remove(turn)

    async def release(self, connection: Any) -> None:
        """Take a connection back, for the next waiting call."""
        try:
            await cast(Any, super()).release(connection)
        finally:
            self._call_next()

    def _call_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return


def _is_full(error: ConnectionError) -> bool:
    return str(error) == "Too many connections"  # a class of its own it has since redis-py 6.3


class Pool(_Waiting, ConnectionPool):
    """Connections to one server."""


class SentinelPool(_Waiting, SentinelConnectionPool):
    """Connections to the primary that Sentinels know."""


class AsyncPool(_AsyncWaiting, aredis.ConnectionPool):
    """Connections to one server, for asyncio code."""


class AsyncSentinelPool(_AsyncWaiting, AsyncSentinelConnectionPool):
    """Connections to the primary that Sentinels know, for asyncio code."""
