"""Hears at once that a run is to stop, or that something has come for it."""

from __future__ import annotations

__all__ = ["Control"]

import threading
from collections.abc import Callable
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError

from penstock.runtime.pool import start

LISTEN: Final = 1.0
"""Seconds between two looks whether to go on listening."""


class Control:
    """A thread that listens to the control channel.

    What it misses while its connection is broken comes with the next renewal of the lease, or with
    the next look at what runs wait for.
    """

    def __init__(self, connection: Redis, channel: str, tell: Callable[[str], None]) -> None:
        self._connection = connection
        self._channel = channel
        self._tell = tell
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-control", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        start(self._thread)

    def close(self) -> None:
        """Let the thread end."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (RedisError, OSError):
                self._ended.wait(LISTEN)

    def _listen(self) -> None:
        with self._connection.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(self._channel)
            while not self._ended.is_set():
                message = cast(Any, pubsub.get_message(timeout=LISTEN))
                if message is not None:
                    self._tell(message["data"].decode("utf-8", "replace"))
