"""Threads on a system that may refuse to start one: it is tried again."""

from __future__ import annotations

__all__ = ["PatientPool", "start"]

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

logger = logging.getLogger(__name__)

PATIENCE: Final = 30.0
"""Seconds after which a thread that nothing can go on without counts as refused for good."""

_REFUSED = (RuntimeError, MemoryError)


def start(thread: threading.Thread, patience: float = PATIENCE) -> None:
    """Start a thread; while the system refuses it, try again.

    Raises:
        RuntimeError: it is still refused after `patience` seconds.
    """
    end, delay = time.monotonic() + patience, 0.01
    while True:
        try:
            return thread.start()
        except _REFUSED as error:
            if thread.ident is not None or time.monotonic() >= end:
                raise
            if delay == 0.01:
                logger.warning("thread %s: %s; trying again", thread.name, error)
        time.sleep(delay)
        delay = min(2 * delay, 1.0)


class PatientPool(ThreadPoolExecutor):
    """A pool that keeps submitted functions while the system refuses it a thread.

    The standard pool raises then, although it has the function in its queue and may run it later.
    This one calls `on_short`, from the thread that submits and with the pool's lock held; the owner
    then calls `grow` from time to time, until `is_short` is False. Without that, the first thread
    of the pool runs everything.
    """

    def __init__(self, most: int, name: str, on_short: Callable[[], object] | None = None) -> None:
        super().__init__(most, thread_name_prefix=name)
        self._on_short = on_short
        self.is_short = False

    def begin(self) -> None:
        """Start one thread, which can do everything, before others use up the system's threads."""
        self.submit(_nothing)

    def grow(self) -> None:
        """Try again to start the thread that was refused."""
        if self.is_short:
            with suppress(RuntimeError):  # shut down meanwhile
                self.submit(_nothing)

    def join(self, timeout: float) -> bool:
        """Wait for the threads to end, after a shutdown; return whether all have."""
        end = time.monotonic() + timeout
        for thread in tuple(self._threads):
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
            self.is_short = False
        except _REFUSED as error:
            if not self.is_short:
                logger.warning("the system refuses a thread: %s; trying again", error)
            self.is_short = True
            if self._on_short is not None:
                self._on_short()
            elif not self._threads:
                self._wait_for_first()

    def _wait_for_first(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self._threads:
            time.sleep(0.1)
            try:
                super()._adjust_thread_count()
            except _REFUSED:
                if time.monotonic() >= end:
                    raise


def _nothing() -> None:
    """Do nothing, in a thread that then does what waits."""
