"""The thread that removes expired items from a store."""

from __future__ import annotations

__all__ = ["Sweeper"]

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from penstock.runtime.concurrency.patient_pool import start

logger = logging.getLogger(__name__)


class Sweeper:
    """Calls a function every so often, until it is stopped; a failure is logged and tried again."""

    def __init__(self, sweep: Callable[[], int], interval: float) -> None:
        self._sweep = sweep
        self._interval = interval
        self._stopping = threading.Event()
        self.future: Future[None] = Future()
        """Done when the sweeper has stopped."""
        self._thread = threading.Thread(
            target=self._run, name="penstock-store-sweeper", daemon=True
        )
        start(self._thread)

    def stop(self, timeout: float | None = None) -> bool:
        """Stop; returns whether it has ended within the seconds given."""
        self._stopping.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                swept = self._sweep()
            except Exception:
                logger.warning(
                    "expired items of a store were not swept, trying again", exc_info=True
                )
            else:
                logger.debug("swept %d expired items of a store", swept)
        self.future.set_result(None)
