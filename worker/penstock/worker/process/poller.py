"""One look at the queues after the other: what a worker takes next."""

from __future__ import annotations

__all__ = ["PAUSE", "Poller"]

import time
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from penstock.runtime.redis.calls import Taken
from penstock.worker.process.capacity import Capacity
from penstock.worker.process.consumer import Consumer
from penstock.worker.process.rq_worker import RQWorker

PAUSE: Final = 1
"""Seconds that a look at empty queues blocks; also how long a worker takes to see it is to end."""

KEPT_BACK: Final = 10.0
"""Seconds that a suspect waits at most for the end of what its worker has at work."""


class Poller:
    """Looks at the queues for a worker, and keeps a suspect back until it can be by itself."""

    def __init__(self, worker: RQWorker, consumer: Consumer, capacity: Capacity) -> None:
        self._worker = worker
        self._consumer = consumer
        self._capacity = capacity
        self._kept: tuple[str, str] | None = None
        """Ticket of a suspect, which is begun by itself: when nothing else is at work, or then."""
        self._kept_until = 0.0

    def keep(self, ticket: tuple[str, str]) -> None:
        """Keep a suspect back; the next looks are for it alone."""
        self._kept, self._kept_until = ticket, time.monotonic() + KEPT_BACK

    def look(self, burst: bool, room: int) -> Taken | None:
        """Take what there is, or wait a moment for it, unless in a burst; None if there is nothing.

        What is kept back counts as nothing as long as it waits for the runs at work.
        """
        if self._kept is not None:
            return self._take_kept(self._kept)
        if burst or not self._consumer.is_dry:
            taken = self._consumer.claim(room, self._capacity.busy)
            if taken or taken.kept or taken.spoilt or taken.is_unknown:
                return taken
        return None if burst else self._wait_for_ticket(room)

    def forget(self) -> None:
        """Let the next look be a new one: this one was refused."""
        self._consumer.forget()

    def close(self) -> None:
        """Give a suspect back that was not begun, and end the connection."""
        if self._kept is not None:
            with suppress(RedisError, OSError):  # recovery rings for it as well
                self._consumer.put_back(self._kept)
        self._consumer.close()

    def _take_kept(self, kept: tuple[str, str]) -> Taken | None:
        if self._capacity.busy and time.monotonic() < self._kept_until:
            self._capacity.wait(PAUSE)
            return None
        taken = self._consumer.claim(1, self._capacity.busy, kept, alone=True)
        self._kept = None
        return taken

    def _wait_for_ticket(self, room: int) -> Taken | None:
        taken, popped = None, self._consumer.pop(PAUSE)
        if popped is None:
            self._consumer.look_again()
        elif self._worker.is_ending:
            self._consumer.put_back(popped)
        else:
            taken = self._consumer.claim(room, self._capacity.busy, popped)
        while not taken and self._consumer.is_suspended() and not self._worker.is_ending:
            self._worker.set_state(WorkerStatus.SUSPENDED)
            time.sleep(PAUSE)
        return taken
