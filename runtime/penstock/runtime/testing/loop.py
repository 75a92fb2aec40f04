"""An event loop that does not wait where nothing else would happen meanwhile."""

from __future__ import annotations

__all__ = ["CountingPool", "SkippingLoop"]

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOOK: Final = 0.002
"""Seconds between two looks at whether anything is still at work."""


class CountingPool(ThreadPoolExecutor):
    """Threads that know whether any of them is at work."""

    def __init__(self) -> None:
        super().__init__(64, thread_name_prefix="penstock-testing")
        self._counting = threading.Lock()
        self._busy = 0

    @property
    def is_idle(self) -> bool:
        """Whether none of the threads has anything to do."""
        return self._busy == 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in a thread, and count it until its outcome is where it belongs."""
        with self._counting:
            self._busy += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: Future[Any]) -> None:
        with self._counting:
            self._busy -= 1


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when everything else is idle."""

    def __init__(self, is_idle: Callable[[], bool]) -> None:
        self._skipped = 0.0
        super().__init__(_Selector(is_idle, self._skip))

    def time(self) -> float:
        """Return the loop's own time: the steady clock's, and what was skipped."""
        return super().time() + self._skipped

    def _skip(self, seconds: float) -> None:
        self._skipped += seconds


class _Selector(selectors.DefaultSelector):
    def __init__(self, is_idle: Callable[[], bool], skip: Callable[[float], None]) -> None:
        super().__init__()
        self._is_idle = is_idle
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        left = timeout
        while left > 0:
            # Whoever was at work has told the loop before it was counted as idle.
            idle = self._is_idle()
            events = super().select(0 if idle else min(left, LOOK))
            if events:
                return events
            if idle:
                self._skip(left)
                return []
            left -= LOOK
        return []
