"""Tells whether a thread that works in rounds still does."""

from __future__ import annotations

__all__ = ["SILENCE", "Heartbeat"]

import threading
import time
from typing import Final

SILENCE: Final = 15.0
"""Seconds without a beat after which a thread counts as stuck."""


class Heartbeat:
    """The last beat of a thread: the thread beats in each round, others look.

    `silence` is the longest time in seconds between two beats of a thread that is well; infinite
    for a thread that sleeps until there is something to do.
    """

    def __init__(self, thread: threading.Thread | None = None, silence: float = SILENCE) -> None:
        self.thread = thread
        self.silence = silence
        self._last = time.monotonic()

    def beat(self) -> None:
        """Note that the thread is at work."""
        self._last = time.monotonic()

    def problem(self) -> str:
        """Describe what is wrong with the thread; "" if nothing is, or it has not begun."""
        thread = self.thread
        if thread is not None and thread.ident is None:
            return ""
        if thread is not None and not thread.is_alive():
            return f"its thread {thread.name} has ended"
        silent = time.monotonic() - self._last
        return f"no sign of life for {silent:.0f} s" if silent > self.silence else ""
