"""Following the changes of runs, one page of entries at a time."""

from __future__ import annotations

__all__ = ["AsyncFeed", "Feed"]

import asyncio
import builtins
import time
from collections import deque
from typing import Any, Final, Self, cast

from redis.exceptions import RedisError

from penstock.publisher.plan import afollow, follow
from penstock.publisher.redis.connection import Backoff
from penstock.runtime.client.transport import AsyncTransport, Transport
from penstock.runtime.redis.plans.feed import FeedTail
from penstock.runtime.redis.plans.requests import Plan, Request
from penstock.runtime.types.feed_entry import FeedEntry
from penstock.runtime.types.run_filter import RunFilter

_LOST: Final = (RedisError, builtins.ConnectionError)
"""Errors after which a request is sent again."""


class _Place:
    """The data of both kinds of feed."""

    def __init__(
        self, client: Transport | AsyncTransport, wanted: RunFilter, after: str | None
    ) -> None:
        plans = client.plans
        self._tail = FeedTail(plans.keys, plans.codec, wanted, after)
        self._is_kept = client.settings.feed > 0
        self._backoff = Backoff("reads of the feed")
        self._ready: deque[FeedEntry] = deque()
        self._cursor: str | None = after

    @property
    def cursor(self) -> str | None:
        """Where to go on: behind the last entry that came, and those passed over since.

        None in asyncio code until an entry is first asked for, if there was no `after`.
        """
        return self._cursor if self._ready else self._tail.cursor

    def _next(self) -> FeedEntry:
        entry = self._ready.popleft()
        self._cursor = entry.cursor
        return entry

    def _got(self, page: list[FeedEntry]) -> list[FeedEntry]:
        self._backoff.reset()
        return page

    def _beginning(self) -> Plan[None]:
        return self._tail.begin(self._is_kept)


class Feed(_Place):
    """The changes of runs, in synchronous code: an iterator that waits for the next one.

    While Redis is away it waits, too. Iterating raises:
        FeedExpiredError: entries behind the cursor are no longer kept.
        FeedRewoundError: the feed has lost entries that were read.
        RedisUnavailableError: Redis refuses it (wrong password, no permission).
    """

    def __init__(self, client: Transport, wanted: RunFilter, after: str | None) -> None:
        super().__init__(client, wanted, after)
        self._connection = client.blocking
        client.do(self._beginning())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> FeedEntry:
        while not self._ready:
            self._ready.extend(self._page())
        return self._next()

    def _page(self) -> list[FeedEntry]:
        try:
            return self._got(follow(self._tail.page(), self._ask))
        except _LOST as error:
            time.sleep(self._backoff.after(error))
            return []

    def _ask(self, request: Request) -> Any:
        connection: Any = self._connection
        return connection.execute_command(*cast("tuple[str | int, ...]", request))


class AsyncFeed(_Place):
    """The changes of runs, in asyncio code: as `Feed`.

    Cancelling a wait for an entry loses nothing: the next one goes on from there.
    """

    def __init__(self, client: AsyncTransport, wanted: RunFilter, after: str | None) -> None:
        super().__init__(client, wanted, after)
        self._client = client
        self._has_begun = False

    def __aiter__(self) -> Self:
        return self

    async def begin(self) -> None:
        """Begin, if it has not begun: from then on no entry is missed.

        Raises:
            ConfigurationError: there is no feed.
        """
        if not self._has_begun:
            await self._client.do(self._beginning())
            self._has_begun = True

    async def __anext__(self) -> FeedEntry:
        await self.begin()
        while not self._ready:
            self._ready.extend(await self._page())
        return self._next()

    async def _page(self) -> list[FeedEntry]:
        try:
            return self._got(await afollow(self._tail.page(), self._ask))
        except _LOST as error:
            await asyncio.sleep(self._backoff.after(error))
            return []

    async def _ask(self, request: Request) -> Any:
        connection: Any = self._client.blocking
        return await connection.execute_command(*cast("tuple[str | int, ...]", request))
