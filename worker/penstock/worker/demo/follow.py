"""Subscribers of the demo's run, each in a thread: one that stays, one that keeps leaving."""

from __future__ import annotations

__all__ = ["Follower"]

import queue
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

from penstock.publisher.event import Event
from penstock.publisher.subscribe import subscribe

PATIENCE = 60.0
"""Seconds without any event after which a subscriber gives up."""

TICK: Final = 0.05
"""Seconds between two looks at what happens."""


class Follower(threading.Thread):
    """Collects the events of a run, and hands them on as they come.

    One that is `restless` leaves after 5 events and comes back with its cursor, then after 10, 20
    and so on.
    """

    def __init__(self, url: str, run_id: str, *, restless: bool = False) -> None:
        super().__init__(name="demo-follower", daemon=True)
        self._url = url
        self._run_id = run_id
        self._restless = restless
        self.events: list[Event] = []
        self._arrived: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.returns = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """Follow the run to its end."""
        stay = 5
        try:
            while True:
                self._follow(stay if self._restless else None)
                if self.events and self.events[-1].terminal:
                    return
                self.returns += 1
                stay *= 2
        except Exception as error:  # shown by the promises
            self.error = error

    def arrivals(self) -> Iterator[Event | None]:
        """Yield the events as they come, up to the end of the run; None while none comes."""
        received = time.monotonic()
        while True:
            try:
                event = self._arrived.get(timeout=TICK)
            except queue.Empty:
                yield None
                if not self.is_alive() or time.monotonic() - received > PATIENCE:
                    return
                continue
            received = time.monotonic()
            yield event
            if event.terminal:
                return

    def _follow(self, most: int | None) -> None:
        after = self.events[-1].seq if self.events else 0
        with subscribe(self._run_id, after, connection=self._url, timeout=PATIENCE) as events:
            for event in islice(events, most):
                self.events.append(event)
                self._arrived.put(event)
