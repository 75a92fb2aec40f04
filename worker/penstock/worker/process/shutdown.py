"""How long a worker has to end, once it is asked to."""

from __future__ import annotations

__all__ = ["Shutdown"]

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from penstock.worker.process.signals import ONE_SIGNAL

HANDING_OVER: Final = 4.0
"""Seconds after the grace in which a worker stores its results and hands its runs over."""

CUT_OFF: Final = 2.0
"""Seconds that a worker has to end once it was asked twice."""


class Shutdown:
    """Counts the requests to end, and keeps the one budget of time for it; from any thread."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._cut = threading.Event()
        self.one_signal = ONE_SIGNAL
        """Seconds within which two requests count as one."""
        self.on_deadline: Callable[[float], object] = lambda seconds: None
        """Called with the seconds until the worker must have ended, once it is asked to end."""
        self._began = 0.0
        self._last_request = -math.inf
        self._ends = 0.0

    def begin(self) -> None:
        """Count the first request."""
        self._last_request = time.monotonic()
        self._start_time()
        self.on_deadline(self._grace + HANDING_OVER)

    def cut_off(self) -> None:
        """Count the second request, and any after it."""
        hangs = self._cut.is_set()  # asked a third time
        if hangs and self.is_repeated():
            return
        self._last_request = time.monotonic()
        self._cut.set()
        seconds = 0.0 if hangs else CUT_OFF
        self._end_in(seconds)
        self.on_deadline(seconds)

    def end(self) -> None:
        """Start the time if nobody has asked, because the work is over."""
        if not self._began:
            self._start_time()

    def is_repeated(self) -> bool:
        """Return whether this request to end repeats the last one: a supervisor's and a signal."""
        return time.monotonic() - self._last_request < self.one_signal

    def is_within_grace(self) -> bool:
        """Return whether what runs may still come to its end."""
        return time.monotonic() < self._began + self._grace and not self._cut.is_set()

    def left(self, kept: float = 0.0) -> float:
        """Return the seconds left to end in, less `kept`, which are reserved for later parts."""
        return max(0.1, self._ends - kept - time.monotonic())

    def _start_time(self) -> None:
        self._began = time.monotonic()
        self._end_in(self._grace + HANDING_OVER)

    def _end_in(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
