"""The event loop of a worker, in a thread of its own, watched."""

from __future__ import annotations

__all__ = ["LoopThread"]

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.patient_pool import PatientPool, start
from penstock.worker.process.watchdog import Watchdog

THREADS: Final = 64
"""Threads of `asyncio.to_thread` and of the sync nodes of graphs, at most; they begin as needed."""

REFUSED: Final = 0.1
"""Seconds between two tries to start a thread that the system refuses."""


class LoopThread:
    """Runs an event loop while the main thread takes runs and gets the signals."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool = PatientPool(THREADS, "asyncio", self._on_short)
        self._loop.set_default_executor(self._pool)
        self._thread = threading.Thread(target=self._work, name="penstock-loop", daemon=True)
        self._watchdog = Watchdog(self._loop, self._thread)

    @property
    def heartbeat(self) -> Heartbeat:
        """When the loop last answered its watchdog."""
        return self._watchdog.loop_heartbeat

    @property
    def lag(self) -> float:
        """How many seconds the loop has last taken to respond to its watchdog."""
        return self._watchdog.lag

    def start(self) -> None:
        """Begin."""
        start(self._thread)
        self._pool.begin()
        self._watchdog.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop, soon; from any thread, or a signal handler.

        After `close` it does nothing: a signal may come at any time, and must not raise then.
        """
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, *args)

    def close(self) -> None:
        """End the loop, with everything that is left on it."""
        self._watchdog.close()
        self._pool.shutdown(wait=False)
        self.call(self._loop.stop)
        if self._thread.ident is not None:
            self._thread.join(0.2)
        if not self._thread.is_alive():  # else it is blocked, and ends with the process
            self._loop.close()

    def join(self, timeout: float) -> bool:
        """Wait for the threads of its pool to end, after `close`; return whether all have."""
        return self._pool.join(timeout)

    def _on_short(self) -> None:
        self.call(self._loop.call_later, REFUSED, self._pool.grow)

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
