"""How a worker process tells its supervisor how it is: by files of its own."""

from __future__ import annotations

__all__ = ["Report"]

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from penstock.runtime.concurrency.heartbeat import SILENCE
from penstock.worker.health.status import Status
from penstock.worker.health.status_file import StatusFile

_PROCESS = "process"


class Report:
    """The files of one process, written by it about once a second, read by its supervisor.

    Both use the system's monotonic clock, which is the same in all processes of a machine.
    """

    def __init__(self, path: Path) -> None:
        self._file = StatusFile(path)
        self._metrics = StatusFile(path.with_suffix(".prom"))

    def write(self, status: Status) -> None:
        """Report a status."""
        self._file.write(f"{time.monotonic()}\n{status.dump()}\n")

    def read(self, began: float) -> Status:
        """Return what was last reported by a process that began at `began`.

        A process that has reported nothing for too long is stuck, whatever it said before.
        """
        at, status = began, Status({_PROCESS: ""}, "it starts")
        with suppress(OSError, ValueError):
            first, text = self._file.path.read_text(encoding="utf-8").splitlines()
            if float(first) >= began:
                at, told = float(first), Status.load(text)
                status = replace(told, parts={_PROCESS: "", **told.parts})
        silent = time.monotonic() - at
        if silent > SILENCE:
            return Status({_PROCESS: f"no sign of life for {silent:.0f} s"}, status.not_ready)
        return status

    def write_metrics(self, text: str) -> None:
        """Report metrics."""
        self._metrics.write(text)

    def read_metrics(self) -> str:
        """Return the metrics that were last reported; "" if there are none."""
        with suppress(OSError):
            return self._metrics.path.read_text(encoding="utf-8")
        return ""

    def remove_all(self) -> None:
        """Remove the files, and their folder once it is empty."""
        self.remove()
        with suppress(OSError):
            self._file.path.parent.rmdir()

    def remove(self) -> None:
        """Remove the files."""
        self._file.remove()
        self._metrics.remove()
