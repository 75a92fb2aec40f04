"""Receives messages of the control channel: stop a run, or something has come for it."""

from __future__ import annotations

__all__ = ["ControlListener"]

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError

from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.patient_pool import start

logger = logging.getLogger(__name__)

LISTEN: Final = 1.0
"""Seconds between two checks whether to end, and at most between two tries to subscribe."""

FIRST_PAUSE: Final = 0.02
"""Seconds after which a worker listens again whose connection was cut."""


class ControlListener:
    """A thread that is subscribed to the control channel, and to that of the worker's presence.

    Messages that it misses while its connection is broken come with the next renewal of the lease,
    or with the next check of what runs wait for. Once it is subscribed, it calls `note` until that
    returns True.
    """

    def __init__(
        self,
        connection: Redis,
        channels: Sequence[str],
        on_message: Callable[[str], None],
        note: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._channels = channels
        self._on_message = on_message
        self._note = note
        self._pause = FIRST_PAUSE
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-control", daemon=True)
        self.heartbeat = Heartbeat(self._thread)

    def start(self) -> None:
        """Begin to listen."""
        start(self._thread)

    def close(self) -> None:
        """Let the thread end."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            self.heartbeat.beat()
            try:
                self._listen()
            except (RedisError, OSError):
                # Soon after a cut, because a worker that is not subscribed counts as dead.
                self._ended.wait(self._pause)
                self._pause = min(2 * self._pause, LISTEN)
            except Exception:  # a worker that is not subscribed counts as dead
                logger.exception("a message of the control channel could not be taken")
        self._connection.close()

    def _listen(self) -> None:
        is_noted = False
        with self._connection.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(*self._channels)
            while not self._ended.is_set():
                message = cast(Any, pubsub.get_message(timeout=LISTEN))
                self._pause = FIRST_PAUSE
                self.heartbeat.beat()
                is_noted = is_noted or self._note()
                if message is not None:
                    self._on_message(message["data"].decode("utf-8", "replace"))
