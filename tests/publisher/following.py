"""A subscriber in a thread of its own, sync or async, for tests that say what both must do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Literal, Self

import redis
from redis.asyncio import Redis as AsyncRedis

from penstock.publisher.event import Event
from penstock.publisher.hub import asubscribe
from penstock.publisher.subscribe import subscribe

Kind = Literal["sync", "async"]


class Follower:
    """Collects the events of a run until they end; `on_event` is called with each."""

    def __init__(
        self,
        kind: Kind,
        connection: str | redis.Redis,
        run_id: str,
        after: int = 0,
        *,
        on_event: Callable[[Event], object] | None = None,
        **options: Any,
    ) -> None:
        self.events: list[Event] = []
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._on_event = on_event
        self._arguments = (run_id, after)
        self._options: dict[str, Any] = {"connection": connection, **options}
        self._thread = threading.Thread(target=self._work, args=[kind], daemon=True)
        self._thread.start()

    def seen(self, count: int) -> Self:
        """Wait until this many events have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count or self._error, 10)
        if self._error is not None:
            raise self._error
        return self

    def seqs(self) -> list[int]:
        """Wait for the end: the seqs of all events."""
        self._thread.join(10)
        assert not self._thread.is_alive(), f"still waiting after {len(self.events)} events"
        if self._error is not None:
            raise self._error
        return [event.seq for event in self.events]

    def _work(self, kind: Kind) -> None:
        try:
            if kind == "sync":
                self._follow()
            else:
                asyncio.run(self._afollow())
        except BaseException as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _follow(self) -> None:
        with subscribe(*self._arguments, **self._options) as events:
            for event in events:
                self._take(event)

    async def _afollow(self) -> None:
        given = self._options.pop("connection")
        if isinstance(given, redis.Redis):
            given = AsyncRedis(**_address(given))
        async with asubscribe(*self._arguments, connection=given, **self._options) as events:
            async for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        if self._on_event is not None:
            self._on_event(event)


def _address(client: redis.Redis) -> dict[str, Any]:
    wanted = ("host", "port", "db", "decode_responses", "protocol")
    settings: dict[str, Any] = client.connection_pool.connection_kwargs
    return {name: value for name, value in settings.items() if name in wanted}


def subscribers(client: redis.Redis, run_id: str) -> int:
    """How many connections are subscribed to a run's channel."""
    reply: Any = client.pubsub_numsub(f"penstock:channel:{run_id}")
    return int(reply[0][1])
