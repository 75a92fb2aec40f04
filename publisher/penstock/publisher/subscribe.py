"""Following a run's events from synchronous code."""

from __future__ import annotations

__all__ = ["subscribe"]

import builtins
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast

from redis import Redis
from redis.client import PubSub
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from penstock.publisher.batch import Frame, read_page
from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.encrypted import codec_of_environment
from penstock.publisher.event import Event
from penstock.publisher.keys import EventKeys
from penstock.publisher.plan import follow
from penstock.publisher.redis.connection import TIMEOUT, Backoff, connect
from penstock.publisher.stored import Command
from penstock.publisher.tail import IDLE, Tail

SHORTEST = 0.1
"""Seconds that an answer of Redis is waited for at least."""


@contextmanager
def subscribe(
    run_id: str,
    after: int = 0,
    *,
    connection: Redis | str | None = None,
    prefix: str = "penstock",
    codec: Codec | None = None,
    timeout: float | None = None,
) -> Generator[Iterator[Event]]:
    """Follow the events of a run after a cursor, until its terminal event.

    Each event comes once, in order, without gaps, whatever happens to the connection; a run that
    does not exist yet is waited for. Redis is reached over connections of its own, made like the
    given one, a URL, or the environment's `PENSTOCK_REDIS_URL`. While Redis is away the iterator
    waits; `timeout` is the longest it waits for one event, in seconds.

        with subscribe(run_id, after=17) as events:
            for event in events:
                print(event.seq, event.mode, event.data)

    The iterator raises:
        CursorExpiredError: the event after the cursor is no longer kept.
        TimeoutError: no event for `timeout` seconds.
        RedisUnavailableError: Redis refuses the subscription (wrong password, no permission).
    """
    codec = (codec or codec_of_environment()).at(prefix)
    tail = Tail(run_id, after, codec)
    # Nor does it wait longer for Redis than for an event.
    patience = TIMEOUT if timeout is None else min(TIMEOUT, max(timeout, SHORTEST))
    with closing(connect(connection, patience)) as client:
        follower = _Follower(client, tail, run_id, EventKeys.at(client, prefix), codec, timeout)
        with closing(follower.events()) as events:
            yield events


class _Follower:
    """The loop around a tail: one connection subscribes, another reads the stored events."""

    def __init__(
        self,
        client: Redis,
        tail: Tail,
        run_id: str,
        keys: EventKeys,
        codec: Codec,
        timeout: float | None,
    ) -> None:
        self._client = client
        self._tail = tail
        self._run_id = run_id
        self._keys = keys
        self._codec = codec
        self._timeout = timeout
        self._due = float("inf")
        self._pinged = False
        self._backoff = Backoff(f"subscription to run {run_id!r}")

    def events(self) -> Generator[Event]:
        self._put_off()
        while not self._tail.ended:
            try:
                with closing(self._client.pubsub()) as pubsub:
                    self._attach(pubsub)
                    yield from self._follow(pubsub)
            except (RedisError, builtins.ConnectionError) as error:
                time.sleep(min(self._backoff.after(error), self._left()))

    def _attach(self, pubsub: PubSub) -> None:
        pubsub.subscribe(self._keys.channel(self._run_id))
        if self._message(pubsub, min(TIMEOUT, self._left())) is None:
            raise TimeoutError("SUBSCRIBE was not confirmed")
        self._pinged = False
        self._tail.behind = True

    def _follow(self, pubsub: PubSub) -> Generator[Event]:
        while not self._tail.ended:
            events = self._stored() if self._tail.behind else self._live(pubsub)
            if events:
                yield from events
                self._put_off()

    def _stored(self) -> Sequence[Event]:
        part = self._tail.ask()
        page = follow(read_page(self._keys, self._run_id, part, self._codec), self._do)
        self._backoff.reset()  # not before: one that loads its data lets subscribe, but not read
        return self._tail.stored(page, part.count)

    def _do(self, command: Command) -> object:
        return cast(object, self._client.execute_command(*command))

    def _live(self, pubsub: PubSub) -> Sequence[Event]:
        received_at = time.monotonic()
        message = self._message(pubsub, min(IDLE, self._left()))
        if message is None:
            if time.monotonic() - received_at >= IDLE:
                self._wonder(pubsub)
            return ()
        self._pinged = False
        return self._tail.frame(Frame(message["data"])) if message["type"] == "message" else ()

    def _wonder(self, pubsub: PubSub) -> None:
        # Silence: is the line dead, or did it lose something without a word?
        if self._pinged:
            raise ConnectionError("no answer to PING on the subscription")
        pubsub.ping()
        self._pinged = True
        self._tail.behind = True

    def _message(self, pubsub: PubSub, timeout: float) -> dict[str, Any] | None:
        return cast("dict[str, Any] | None", pubsub.get_message(timeout=timeout))

    def _put_off(self) -> None:
        if self._timeout is not None:
            self._due = time.monotonic() + self._timeout

    def _left(self) -> float:
        left = self._due - time.monotonic()
        if left <= 0:
            raise builtins.TimeoutError(f"no event of run {self._run_id!r} for {self._timeout} s")
        return left
