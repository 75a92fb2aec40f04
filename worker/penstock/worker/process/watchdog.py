"""Notices when a run's code blocks the event loop, and logs where."""

from __future__ import annotations

__all__ = ["Watchdog"]

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import Final

from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.patient_pool import start

logger = logging.getLogger(__name__)

BLOCKED: Final = 1.0
"""Seconds without an answer after which a loop counts as blocked."""


class Watchdog:
    """A thread that pings the loop, and logs the stack of the code that blocks it.

    Asyncio tasks are named after their runs, so the log line names the run. Leases do not suffer:
    they are renewed elsewhere.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, loop_thread: threading.Thread) -> None:
        self._loop = loop
        self._loop_thread = loop_thread
        self._alive = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-watchdog", daemon=True)
        self.loop_heartbeat = Heartbeat(loop_thread)
        self.lag = 0.0
        """Seconds that the loop has last taken to answer."""

    def start(self) -> None:
        """Begin to watch."""
        start(self._thread)

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._alive.set()
        if self._thread.ident is not None:
            self._thread.join(BLOCKED)

    def _work(self) -> None:
        while not self._ended.wait(BLOCKED):
            self._alive.clear()
            if self._ended.is_set():  # by a `close` that has set the event just cleared
                return
            self._loop.call_soon_threadsafe(self._answered, time.monotonic())
            if not self._alive.wait(BLOCKED):
                self._report()
                self._alive.wait()  # once for each time it is blocked

    def _answered(self, asked: float) -> None:
        self.lag = time.monotonic() - asked
        self.loop_heartbeat.beat()
        self._alive.set()

    def _report(self) -> None:
        # The one way to see another thread's stack; documented, though its name is private.
        frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._loop_thread.ident or 0)
        task = asyncio.current_task(self._loop)
        run_id = task.get_name() if task is not None else "unknown"
        stack = "".join(traceback.format_stack(frame)[-8:]) if frame is not None else "unknown\n"
        logger.warning(
            "the event loop has been blocked for %.0f s by run %s; put blocking code into a sync "
            "task or asyncio.to_thread. It is at:\n%s",
            BLOCKED,
            run_id,
            stack,
            extra={"run_id": run_id, "event": "loop.blocked"},
        )
