"""Polls the queues: what a worker takes next."""

from __future__ import annotations

__all__ = ["PAUSE", "Poller"]

import time
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.redis.replies import Taken
from penstock.worker.process.capacity import Capacity
from penstock.worker.process.consumer import Consumer
from penstock.worker.process.rq_worker import RQWorker

PAUSE: Final = 1
"""Seconds that polling empty queues blocks; also the delay until a worker notices its end."""

HELD_BACK: Final = 10.0
"""Seconds that a suspect waits at most for the other runs of its worker to end."""


class Poller:
    """Polls the queues for a worker, and holds a suspect back until it can run alone."""

    def __init__(self, worker: RQWorker, consumer: Consumer, capacity: Capacity) -> None:
        self._worker = worker
        self._consumer = consumer
        self._capacity = capacity
        self._held: tuple[str, str] | None = None
        """Ticket of a suspect, which begins when the worker is idle, or after HELD_BACK."""
        self._held_until = 0.0
        self.heartbeat = Heartbeat()

    def hold_back(self, ticket: tuple[str, str]) -> None:
        """Hold a suspect back; the next polls are for it alone."""
        self._held, self._held_until = ticket, time.monotonic() + HELD_BACK

    def poll(self, burst: bool, slots: int) -> Taken | None:
        """Take tickets, or wait a moment for one, unless in a burst; None if there is none.

        A suspect that is held back does not count while it waits for the other runs.
        """
        if self._held is not None:
            return self._take_held(self._held)
        if burst or not self._consumer.is_dry:
            taken = self._consumer.claim(slots, self._capacity.busy)
            if taken or taken.suspect or taken.corrupt or taken.is_unknown:
                return taken
        return None if burst else self._wait_for_ticket(slots)

    def forget(self) -> None:
        """Let the next claim be a new one, because this one was refused."""
        self._consumer.forget()

    def close(self) -> None:
        """Put back a suspect that was not begun, and close the connection."""
        if self._held is not None:
            with suppress(RedisError, OSError):  # recovery would write a new ticket
                self._consumer.put_back(self._held)
        self._consumer.close()

    def _take_held(self, kept: tuple[str, str]) -> Taken | None:
        if self._capacity.busy and time.monotonic() < self._held_until:
            self._capacity.wait(PAUSE)
            return None
        taken = self._consumer.claim(1, self._capacity.busy, kept, alone=True)
        self._held = None
        return taken

    def _wait_for_ticket(self, slots: int) -> Taken | None:
        taken, popped = None, self._consumer.pop(PAUSE)
        if popped is None:
            self._consumer.poll_again()
        elif self._worker.is_ending:
            self._consumer.put_back(popped)
        else:
            taken = self._consumer.claim(slots, self._capacity.busy, popped)
        while not taken and self._consumer.is_suspended() and not self._worker.is_ending:
            self.heartbeat.beat()
            self._worker.set_state(WorkerStatus.SUSPENDED)
            time.sleep(PAUSE)
        return taken
