"""The event loop of a worker, in a thread of its own, watched."""

from __future__ import annotations

__all__ = ["LoopThread"]

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from penstock.worker.watchdog import Watchdog

T = TypeVar("T")


class LoopThread:
    """Runs an event loop while the main thread takes runs and gets the signals."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="penstock-loop", daemon=True)
        self._watchdog = Watchdog(self._loop, self._thread)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._watchdog.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function on the loop, soon; from any thread, or a signal handler."""
        self._loop.call_soon_threadsafe(function, *args)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, and return its value."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """End the loop; what is left on it does not go on."""
        self._watchdog.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(0.2)
        if not self._thread.is_alive():  # else it is blocked, and ends with the process
            self._loop.close()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
