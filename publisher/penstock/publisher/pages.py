"""The reads of a hub: pages of stored events, over one connection."""

from __future__ import annotations

__all__ = ["Pages"]

import asyncio
import builtins
from copy import copy
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from penstock.publisher.batch import Page, read_page
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import PenstockError
from penstock.publisher.keys import EventKeys
from penstock.publisher.plan import afollow
from penstock.publisher.redis.connection import Backoff
from penstock.publisher.stored import Command, Part

_Wanted = tuple[str, Part]


class Pages:
    """Reads pages one after the other; subscribers that want the same page share one read.

    A single task reads, so a waiting subscriber may be cancelled at any time, and a thousand
    subscribers that fall behind together cost two reads.
    """

    def __init__(self, client: Redis, keys: EventKeys, codec: Codec) -> None:
        self._client = client
        self._keys = keys
        self._codec = codec
        self._wanted: dict[_Wanted, list[asyncio.Future[Page]]] = {}
        self._reading: list[asyncio.Future[Page]] = []
        self._asked = asyncio.Event()
        self._failure: PenstockError | None = None

    async def page(self, run_id: str, part: Part) -> Page:
        """Read a part of a run's events; the read begins after this call."""
        future: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        if self._failure is not None:
            raise copy(self._failure)
        self._wanted.setdefault((run_id, part), []).append(future)
        self._asked.set()
        return await future

    async def run(self) -> None:
        """Read what is wanted, until cancelled."""
        backoff = Backoff("reads of a hub")
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._wanted:
                await self._answer(next(iter(self._wanted)), backoff)

    def fail(self, error: PenstockError) -> None:
        """Raise the error in all waiting calls, and in those that follow."""
        self._failure = error
        for futures in (self._reading, *self._wanted.values()):
            _settle(futures, error)

    async def _answer(self, wanted: _Wanted, backoff: Backoff) -> None:
        self._reading = futures = self._wanted.pop(wanted)
        if all(future.done() for future in futures):
            return
        try:
            page = await self._fetch(*wanted)
        except PenstockError as error:
            _settle(futures, error)
        except (RedisError, builtins.ConnectionError) as error:
            await self._later(wanted, futures, backoff, error)
        else:
            backoff.reset()
            _settle(futures, page)

    async def _later(
        self,
        wanted: _Wanted,
        futures: list[asyncio.Future[Page]],
        backoff: Backoff,
        error: Exception,
    ) -> None:
        try:
            delay = backoff.after(error)
        except PenstockError as refused:
            _settle(futures, refused)
            return
        self._wanted.setdefault(wanted, []).extend(futures)
        await asyncio.sleep(delay)

    async def _fetch(self, run_id: str, part: Part) -> Page:
        return await afollow(read_page(self._keys, run_id, part, self._codec), self._do)

    async def _do(self, command: Command) -> object:
        return cast(object, await self._client.execute_command(*command))


def _settle(futures: list[asyncio.Future[Page]], result: Page | PenstockError) -> None:
    for future in futures:
        if future.done():
            continue
        if isinstance(result, Page):
            future.set_result(result)
        else:
            future.set_exception(copy(result))
