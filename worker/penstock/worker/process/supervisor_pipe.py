"""A pipe from a supervisor to a worker process: when the supervisor ends, the worker drains."""

from __future__ import annotations

__all__ = ["SupervisorEnd", "WorkerEnd"]

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from penstock.runtime.concurrency.patient_pool import start

_NOW: Final = b"!"


class SupervisorEnd:
    """The supervisor's end of the pipe; the kernel closes it, however the supervisor ends."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def cut_off(self) -> None:
        """Make the worker end at once."""
        with suppress(OSError):  # it has ended
            os.write(self._writer, _NOW)

    def close(self) -> None:
        """Close the pipe; a worker that still lives drains."""
        os.close(self._writer)


class WorkerEnd:
    """The worker's end of the pipe, with a thread that listens to it.

    Without callbacks the process just ends: it has nothing to hand over yet.
    """

    def __init__(self, reader: int) -> None:
        self._reader = reader
        self._drain: Callable[[], object] = _leave
        self._cut_off: Callable[[], object] = _leave
        self._thread = threading.Thread(
            target=self._work, name="penstock-supervisor-pipe", daemon=True
        )

    def start(self) -> None:
        """Begin to listen."""
        start(self._thread)

    def set_callbacks(self, drain: Callable[[], object], cut_off: Callable[[], object]) -> None:
        """Set what is called when the supervisor ends, or wants the worker to end at once."""
        self._drain, self._cut_off = drain, cut_off

    def _work(self) -> None:
        while os.read(self._reader, 1):
            self._cut_off()
        self._drain()


def _leave() -> None:
    os._exit(0)
