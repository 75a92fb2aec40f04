"""A time at which a process ends, whatever blocks it."""

from __future__ import annotations

__all__ = ["Deadline"]

import faulthandler
import logging
import os
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NoReturn

from penstock.runtime.concurrency.patient_pool import start

logger = logging.getLogger(__name__)

MARGIN: Final = 1.0
"""Seconds after which the process ends although no Python code of it can run any more."""


class Deadline:
    """A thread that ends the process at the time that was last set.

    Neither a blocked thread, nor a Redis that does not answer, nor a log that nobody reads can
    prevent it.
    """

    def __init__(self) -> None:
        self._times: SimpleQueue[float | None] = SimpleQueue()  # its put may come from a signal
        self._thread = threading.Thread(target=self._work, name="penstock-deadline", daemon=True)

    def start(self) -> None:
        """Start the thread while the system still has one; call it once."""
        start(self._thread)

    def set(self, seconds: float) -> None:
        """End the process in so many seconds; from any thread, or a signal handler."""
        self._times.put(time.monotonic() + seconds)

    def close(self) -> None:
        """Let the process live, and end the thread."""
        self._times.put(None)

    def _work(self) -> None:
        end = self._times.get()
        while end is not None:
            _guard(end)
            try:
                end = self._times.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                _leave()
        faulthandler.cancel_dump_traceback_later()


def _leave() -> NoReturn:
    threads = [each.name for each in threading.enumerate() if not each.daemon]
    logger.warning("the time to end is over, the process ends now; threads: %s", threads)
    os._exit(0)


def _guard(end: float) -> None:
    """Let C code end the process if a thread holds the interpreter's lock for ever."""
    left = max(0.0, end - time.monotonic())
    with suppress(RuntimeError, ValueError, AttributeError, OSError):  # no thread, or no stderr
        faulthandler.dump_traceback_later(left + MARGIN, exit=True)
