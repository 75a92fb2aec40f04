"""A Redis client for commands that are sent thousands of times a second."""

from __future__ import annotations

__all__ = ["DirectRedis"]

import os
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, cast

import hiredis
from redis import Redis
from redis.exceptions import ResponseError

from penstock.publisher.redis.pool import MOST

KEPT: Final = 1.0
"""Seconds after which a connection goes back to the pool, which looks whether it is still good."""

AT_ONCE: Final = MOST // 2
"""Commands under way; the rest of the pool is for those who use it without this client."""

_packed: Callable[[tuple[Any, ...]], bytes] = cast(Any, hiredis).pack_command


class DirectRedis(Redis):
    """A client that borrows connections of another one for a second, not for each command.

    Between two commands redis-py asks the operating system whether the connection is still open,
    counts it twice and sets up retries: half of the time that a short command takes. Here a
    connection that has broken within its second shows when it is used, so that each command has to
    be one that its caller repeats. At most `AT_ONCE` commands are under way, the others wait: what
    is held here is not given back to the pool for the next one.
    """

    def __init__(self, client: Redis) -> None:
        super().__init__(connection_pool=client.connection_pool)
        self._client = client  # which closes its pool when it is dropped
        self._kept: list[tuple[Any, float]] = []
        self._begin_anew()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its reply.

        Raises:
            redis.exceptions.ConnectionError, TimeoutError: it may have been executed or not.
            redis.exceptions.ResponseError: Redis refused it.
        """
        name = args[0]
        if " " in name:  # as redis-py calls them: "CLIENT ID"
            args = (*name.split(), *args[1:])
        if self._pid != os.getpid():
            self._begin_anew()  # the turns that threads of the parent have do not come back here
        turns = self._turns
        turns.get()
        try:
            return self._execute(name, args, options)
        finally:
            turns.put(None)

    def _begin_anew(self) -> None:
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(AT_ONCE):
            self._turns.put(None)
        self._pid = os.getpid()

    def _execute(self, name: str, args: tuple[Any, ...], options: Any) -> Any:
        connection, since = self._take()
        try:
            connection.send_packed_command([_packed(args)], check_health=False)
            reply = cast(Any, self).parse_response(connection, name, **options)
        except ResponseError:
            self._kept.append((connection, since))
            raise
        except BaseException:
            self._drop(connection)
            raise
        self._kept.append((connection, since))
        return reply

    def _drop(self, connection: Any) -> None:
        """Give a broken connection back, and all others: they may be broken too.

        The pool checks each, and connects to another server after a failover. A late reply on a
        kept connection would be taken for the reply to the next command.
        """
        try:
            connection.disconnect()
        finally:
            self.connection_pool.release(connection)
            self.close()

    def close(self) -> None:
        """Give the connections back."""
        kept, self._kept = self._kept, []
        for connection, _ in kept:
            self.connection_pool.release(connection)

    def _take(self) -> tuple[Any, float]:
        now = time.monotonic()
        while True:
            try:
                connection, since = self._kept.pop()
            except IndexError:
                return self.connection_pool.get_connection(), now
            if connection.pid != os.getpid():
                continue  # the parent's, before a fork
            if now < since + KEPT:
                return connection, since
            self.connection_pool.release(connection)
