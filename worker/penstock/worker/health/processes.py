"""The health of all worker processes of a supervisor."""

from __future__ import annotations

__all__ = ["ProcessesHealth"]

import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from penstock.runtime.executor.observer import Observers
from penstock.worker.health.address import Address
from penstock.worker.health.changes import Changes
from penstock.worker.health.exposition import merged, new_metrics, own_metrics
from penstock.worker.health.http import HTTPServer
from penstock.worker.health.probes import answer
from penstock.worker.health.report import Report
from penstock.worker.health.status import Status, status_of_all
from penstock.worker.health.status_file import StatusFile

EVERY: Final = 1.0
"""Seconds between two looks at the health of the processes."""

_ENDED: Final = Status({}, "it has ended, and is replaced")


class ProcessesHealth:
    """Answers for the processes of a supervisor, which are numbered from 1; in its main thread.

    A process that has ended makes the whole not ready, but live: the supervisor replaces it.

    Raises:
        ConfigurationError: the address is none, another program listens there, or the file cannot
            be written.
    """

    def __init__(self, processes: int, *, address: str = "", file: str = "") -> None:
        self._file = StatusFile.open(file) if file else None
        self._server = None
        if address:
            self._server = HTTPServer(
                Address.parse(address),
                lambda path: answer(path, self.status, self._metrics if self.observer else None),
            )
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-health-"))
        self._began: dict[int, float | None] = dict.fromkeys(range(1, processes + 1))
        self._changes = Changes()
        self._is_draining = False
        self._recovered = new_metrics() if address else None
        self.observer = None if self._recovered is None else Observers([self._recovered])
        """Counts the runs that the supervisor recovers of processes that die."""
        self.next_look = 0.0
        """When `look` is to be called at the latest."""

    def filenos(self) -> list[int]:
        """Return what is to be waited for."""
        return [self._server.fileno()] if self._server is not None else []

    def report(self, number: int) -> Report:
        """Return where a process reports how it is."""
        return Report(self._folder / f"{number}.json")

    def started(self, number: int, at: float) -> None:
        """Note that a process has started."""
        self._began[number] = at

    def ended(self, number: int) -> None:
        """Note that a process has ended."""
        self._began[number] = None
        self.report(number).remove()

    def drain(self) -> None:
        """Note that the processes are about to end."""
        self._is_draining = True

    def look(self) -> None:
        """Answer who asks, and write the file if it is time; nothing here ends the supervisor."""
        try:
            if self._server is not None:
                self._server.serve()
            if time.monotonic() >= self.next_look:
                self.next_look = time.monotonic() + EVERY
                status = self.status()
                self._changes.log(status)
                if self._file is not None:
                    self._file.show(status)
            self._changes.works()
        except Exception:  # such as a full disk: the next look may do better
            self._changes.fails()

    def status(self) -> Status:
        """Return the health of all at this moment."""
        if self._is_draining:
            return Status({}, "it drains")
        return status_of_all(
            {
                number: _ENDED if began is None else self.report(number).read(began)
                for number, began in self._began.items()
            }
        )

    def _metrics(self) -> str:
        texts = {str(number): self.report(number).read_metrics() for number in self._began}
        if self._recovered is not None:
            texts["supervisor"] = own_metrics(self._recovered.registry)
        return merged(texts)

    def leave(self) -> None:
        """Close the server in a process that was forked; the supervisor goes on with it."""
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """End, and remove the files."""
        self.leave()
        if self._file is not None:
            self._file.remove()
        shutil.rmtree(self._folder, ignore_errors=True)
