"""Following the events of any number of runs from one event loop, over one connection."""

from __future__ import annotations

__all__ = ["Hub", "asubscribe"]

import asyncio
import builtins
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import Any, Self, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ConnectionError, RedisError

from penstock.publisher.channel import Channel, Subscriber
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import codec_of_environment
from penstock.publisher.errors import ConfigurationError, PenstockError
from penstock.publisher.event import Event
from penstock.publisher.keys import EventKeys
from penstock.publisher.pages import Pages
from penstock.publisher.redis.connection import Backoff, aconnect
from penstock.publisher.tail import IDLE, Tail

logger = logging.getLogger(__name__)

T = TypeVar("T")


@asynccontextmanager
async def asubscribe(
    run_id: str,
    after: int = 0,
    *,
    hub: Hub | None = None,
    connection: Redis | str | None = None,
    prefix: str = "penstock",
    codec: Codec | None = None,
    timeout: float | None = None,
) -> AsyncGenerator[AsyncIterator[Event]]:
    """Follow the events of a run after a cursor, until its terminal event; see `subscribe`.

    Give the `hub` where there are many subscriptions: all of them share its connection, and its
    prefix and codec are theirs.
    """
    if hub is not None:
        async with hub.subscribe(run_id, after, timeout=timeout) as events:
            yield events
        return
    async with (
        Hub(connection, prefix, codec) as own,
        own.subscribe(run_id, after, timeout=timeout) as events,
    ):
        yield events


class Hub:
    """One subscribing connection, and one for reads, shared by the subscribers of one event loop.

        async with Hub("redis://localhost:6379") as hub:
            async with hub.subscribe(run_id) as events:
                async for event in events: ...

    A slow subscriber delays nobody: beyond its bounded buffer it reads the stored events instead.
    Events are decoded once for all subscribers of a run: do not change their data.
    """

    def __init__(
        self,
        connection: Redis | str | None = None,
        prefix: str = "penstock",
        codec: Codec | None = None,
    ) -> None:
        self._client = aconnect(connection)
        self._keys = EventKeys.at(self._client, prefix)
        self._codec = (codec or codec_of_environment()).at(prefix)
        self._pages = Pages(self._client, self._keys, self._codec)
        self._channels: dict[bytes, Channel] = {}
        self._asked: set[bytes] = set()
        """Channels that SUBSCRIBE was sent for on this connection, confirmed or not yet."""
        self._changed = asyncio.Event()
        self._received_at = 0.0
        self._pinged = False
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: PenstockError | None = ConfigurationError(
            "a Hub is used inside of its own `async with` block"
        )

    @property
    def is_open(self) -> bool:
        """Whether it is inside of its `async with` block."""
        return bool(self._tasks)

    async def __aenter__(self) -> Self:
        self._failure = None
        work = (self._listen, self._pages.run)
        self._tasks = [asyncio.create_task(self._guard(each)) for each in work]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._fail(ConfigurationError("the Hub of this subscription is closed"))
        await _end(*self._tasks)
        self._tasks = []
        await self._client.aclose()

    @asynccontextmanager
    async def subscribe(
        self, run_id: str, after: int = 0, *, timeout: float | None = None
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """Follow the events of a run after a cursor, as `asubscribe` does."""
        if self._failure is not None:
            raise copy(self._failure)
        name = self._keys.channel(run_id).encode()
        tail = Tail(run_id, after, self._codec)
        channel = self._channels.setdefault(name, Channel(run_id))
        subscriber = Subscriber(channel, tail, self._pages.page, timeout)
        channel.subscribers.add(subscriber)
        self._changed.set()
        try:
            yield subscriber
        finally:
            channel.subscribers.discard(subscriber)
            if not channel.subscribers:
                self._leave(name)

    def _leave(self, name: bytes) -> None:
        # One asked for stays until it is unsubscribed from: who comes before that finds it, and
        # with it the confirmation, which Redis sends once.
        if name not in self._asked:
            del self._channels[name]
        self._changed.set()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except PenstockError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("a hub ended")
            self._fail(PenstockError(f"the Hub of this subscription ended: {error!r}"))

    def _fail(self, error: PenstockError) -> None:
        self._failure = error = self._failure or error
        self._pages.fail(error)
        for channel in self._channels.values():
            channel.fail(error)

    async def _listen(self) -> None:
        backoff = Backoff("subscriptions of a hub")
        while True:
            await self._changed.wait()
            pubsub: Any = _Line(self._client.connection_pool)
            try:
                await self._serve(pubsub, backoff)
            except (RedisError, builtins.ConnectionError) as error:
                self._asked = set()
                for channel in self._channels.values():
                    channel.live = False
                await asyncio.sleep(backoff.after(error))
                self._changed.set()
            finally:
                await pubsub.aclose()

    async def _serve(self, pubsub: PubSub, backoff: Backoff) -> None:
        # This task writes, the other reads; the first of them to fail ends the connection.
        await self._resubscribe(pubsub)
        self._received_at, self._pinged = asyncio.get_running_loop().time(), False
        reader = asyncio.create_task(self._receive(pubsub, backoff))
        reader.add_done_callback(lambda _: self._changed.set())
        try:
            while not reader.done():
                with suppress(builtins.TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._changed.wait()
                await self._resubscribe(pubsub)
                await self._wonder(pubsub)
            reader.result()
        finally:
            await _end(reader)

    async def _resubscribe(self, pubsub: PubSub) -> None:
        self._changed.clear()
        wanted = {name for name, channel in self._channels.items() if channel.subscribers}
        subscribed, self._asked = self._asked, wanted
        for name in self._channels.keys() - wanted:
            del self._channels[name]
        if wanted - subscribed:
            await _on(pubsub.subscribe(*(wanted - subscribed)))
        if subscribed - wanted:
            await _on(cast("Awaitable[object]", pubsub.unsubscribe(*(subscribed - wanted))))

    async def _receive(self, pubsub: PubSub, backoff: Backoff) -> None:
        loop = asyncio.get_running_loop()
        get = cast("Callable[..., Awaitable[dict[str, Any] | None]]", pubsub.get_message)
        while True:
            message = await _on(get(timeout=None)) or {}
            self._received_at = loop.time()
            self._pinged = False
            channel = self._channels.get(message.get("channel", b""))
            if channel is None:
                continue
            if message["type"] == "message":
                channel.offer(message["data"], self._received_at)
            elif message["type"] == "subscribe":
                backoff.reset()
                channel.live = True
                channel.fall_behind(self._received_at)

    async def _wonder(self, pubsub: PubSub) -> None:
        # Silence: is the line dead, or did it lose something without a word?
        now = asyncio.get_running_loop().time()
        for channel in self._channels.values():
            if channel.live and now - channel.received_at >= IDLE:
                channel.fall_behind(now)
        if now - self._received_at >= IDLE:
            if self._pinged:
                raise ConnectionError("no answer to PING on the subscriptions")
            self._pinged = True
            self._received_at = now
            await _on(pubsub.ping())


class _Line(PubSub):
    """A connection of subscriptions that ends when it breaks.

    redis-py's own reconnects in each of the two tasks that share it, and so twice.
    """

    async def _execute(self, conn: Any, command: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        return await command(*args, **kw)


async def _on(answer: Awaitable[T]) -> T:
    """Await redis-py on the connection that two tasks share.

    Raises:
        ConnectionError: it is lost; also if the other task saw that first: redis-py closes it or
            reconnects, and this task finds it in an undefined state.
    """
    try:
        return await answer
    except (AttributeError, RuntimeError) as error:
        raise ConnectionError(f"it was closed while it was used: {error}") from error


async def _end(*tasks: asyncio.Task[None]) -> None:
    # Once is not always enough: before Python 3.12, `asyncio.wait_for`, which redis-py sends
    # with, swallows a cancellation that comes as it completes.
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)
