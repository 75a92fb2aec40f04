"""Publishing events from outside of a run."""

from __future__ import annotations

__all__ = ["AsyncPublisher", "Publisher"]

import asyncio
import builtins
import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Self, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import codec_of_environment
from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.publisher.event import Event, texts
from penstock.publisher.keys import EventKeys
from penstock.publisher.redis.connection import Backoff, aconnect, connect
from penstock.publisher.redis.script import Argument, Call, arun, load, run

PATIENCE = 10.0
"""Seconds that publishing goes on trying while Redis is away."""

LOOK = 10_000
"""Events that a repeated call looks back over for its own first sending."""

Mode = str
Draft = Event | tuple[Mode, Any]


class _Batches:
    """What both publishers share: events in, one script call out."""

    def __init__(
        self,
        keys: EventKeys,
        codec: Codec | None,
        keep: int,
        ttl: timedelta | float,
    ) -> None:
        seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
        if keep < 0 or seconds < 0:
            raise ConfigurationError("keep and ttl are 0 (no limit) or more")
        self._keys = keys
        self._codec = (codec or codec_of_environment()).at(keys.prefix)
        self._keep = keep
        self._ttl = int(seconds * 1000)
        self._script = load("penstock.publisher", "publish")

    def call(
        self, run_id: str, events: Iterable[Draft], namespace: tuple[str, ...], thread_id: str
    ) -> Callable[[int], Call]:
        """Encode events once; the call itself depends on how far back to look for itself."""
        now = time.time()
        pairs: list[Argument] = []
        codec = self._codec.at("run", run_id, "event")
        op = secrets.token_hex(8)
        drafts = list(events)
        for number, (mode, data) in enumerate(drafts, start=1):
            pairs += texts(
                mode,
                codec.at(mode).dumps(data, f"event {mode!r} of run {run_id!r}"),
                namespace=namespace,
                thread="" if thread_id == run_id else thread_id,
                time=now,
                op=op if number == len(drafts) else "",
            )
        keys = (self._keys.events(run_id), self._keys.channel(run_id))
        count = len(drafts)
        return lambda look: Call(
            self._script, keys, (op, look, self._keep, self._ttl, count, *pairs)
        )


class _Tries:
    """How often a call is sent: again while Redis is away, until patience ends."""

    def __init__(self, what: str) -> None:
        self._backoff = Backoff(what)
        self._what = what
        self._until = time.monotonic() + PATIENCE
        self.look = 1

    def again(self, error: Exception) -> float:
        """Seconds to wait before the call is sent again, now looking for its first sending."""
        delay = self._backoff.after(error)
        if time.monotonic() + delay > self._until:
            raise RedisUnavailableError(
                f"{self._what}: no answer from Redis for {PATIENCE:.0f} s ({error})"
            ) from error
        self.look = LOOK
        return delay


class Publisher:
    """Publishes events of things that are not runs, under an id of the caller's choice.

        with Publisher("redis://localhost:6379") as publisher:
            publisher.publish("import-7", [("progress", 0.5), ("run.finished", None)])

    `subscribe` follows them as it follows a run; a `run.finished` ends its iterators. `keep` is how
    many events stay stored at least (0: all), `ttl` how long after the last one.
    """

    def __init__(
        self,
        connection: Redis | str | None = None,
        prefix: str = "penstock",
        codec: Codec | None = None,
        *,
        keep: int = 0,
        ttl: timedelta | float = timedelta(hours=24),
    ) -> None:
        self._client = connect(connection)
        self._batches = _Batches(EventKeys.at(self._client, prefix), codec, keep, ttl)

    def publish(
        self,
        run_id: str,
        events: Iterable[Draft],
        *,
        namespace: tuple[str, ...] = (),
        thread_id: str = "",
    ) -> int:
        """Append events, all or none, each once; returns the seq of the last.

        Raises:
            CodecError: a value cannot be written exactly.
            RedisUnavailableError: Redis refused, or did not answer for ten seconds.
        """
        call = self._batches.call(run_id, events, namespace, thread_id)
        tries = _Tries(f"publishing to {run_id!r}")
        while True:
            try:
                return cast(int, run(self._client, call(tries.look)))
            except (RedisError, builtins.ConnectionError) as error:
                time.sleep(tries.again(error))

    def close(self) -> None:
        """Close the publisher's own connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncPublisher:
    """`Publisher` for an event loop."""

    def __init__(
        self,
        connection: AsyncRedis | str | None = None,
        prefix: str = "penstock",
        codec: Codec | None = None,
        *,
        keep: int = 0,
        ttl: timedelta | float = timedelta(hours=24),
    ) -> None:
        self._client = aconnect(connection)
        self._batches = _Batches(EventKeys.at(self._client, prefix), codec, keep, ttl)

    async def publish(
        self,
        run_id: str,
        events: Iterable[Draft],
        *,
        namespace: tuple[str, ...] = (),
        thread_id: str = "",
    ) -> int:
        """Append events as `Publisher.publish` does."""
        call = self._batches.call(run_id, events, namespace, thread_id)
        tries = _Tries(f"publishing to {run_id!r}")
        while True:
            try:
                return cast(int, await arun(self._client, call(tries.look)))
            except (RedisError, builtins.ConnectionError) as error:
                await asyncio.sleep(tries.again(error))

    async def aclose(self) -> None:
        """Close the publisher's own connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
