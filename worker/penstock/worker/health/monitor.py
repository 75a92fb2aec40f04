"""A thread of a worker process that tells how the process is."""

from __future__ import annotations

__all__ = ["Monitor"]

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from penstock.runtime.concurrency.patient_pool import start
from penstock.worker.health.address import Address
from penstock.worker.health.changes import Changes
from penstock.worker.health.http import HTTPServer
from penstock.worker.health.probes import answer
from penstock.worker.health.report import Report
from penstock.worker.health.status_file import StatusFile
from penstock.worker.health.vitals import Vitals

EVERY: Final = 1.0
"""Seconds between two looks at the health of a process."""

METRICS_EVERY: Final = 5.0
"""Seconds between two reports of metrics to a supervisor."""


class Monitor:
    """Answers probes, writes the health file, and reports to the supervisor if there is one.

    It starts before the app is loaded, which may take long, so that `/live` answers from then on.

    Raises:
        ConfigurationError: the address is none, another program listens there, or the file cannot
            be written.
    """

    def __init__(self, *, address: str = "", file: str = "", report: Report | None = None) -> None:
        self.vitals = Vitals()
        self.metrics: Callable[[], str] | None = None
        """Writes the metrics of the process, if there are any."""
        self._file = StatusFile.open(file) if file else None
        self._report = report
        self._parent = os.getppid()
        self._changes = Changes()
        self._next = self._next_metrics = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._server = None
        if address:
            self._server = HTTPServer(
                Address.parse(address),
                lambda path: answer(path, self.vitals.status, self.metrics),
            )
        self._thread = threading.Thread(target=self._work, name="penstock-health", daemon=True)

    def start(self) -> None:
        """Begin."""
        start(self._thread)

    def close(self) -> None:
        """Let the thread end within a second, and remove the file."""
        with self._lock:
            self._ended.set()
            if self._file is not None:
                self._file.remove()
            if self._report is not None and os.getppid() != self._parent:
                self._report.remove_all()  # the supervisor has died, and cannot do it

    def _work(self) -> None:
        try:
            self._tell()
        finally:
            if self._server is not None:
                self._server.close()

    def _tell(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
                if self._server is not None:
                    self._server.serve(EVERY)
                else:
                    self._ended.wait(EVERY)
                self._changes.works()
            except Exception:  # such as a full disk: the next look may do better
                self._changes.fails()
                self._ended.wait(EVERY)

    def _look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        status = self.vitals.status()
        self._changes.log(status)
        with self._lock:
            if self._ended.is_set():
                return
            if self._file is not None:
                self._file.show(status)
            if self._report is not None:
                self._report.write(status)
                self._report_metrics(self._report)

    def _report_metrics(self, report: Report) -> None:
        if self.metrics is not None and time.monotonic() >= self._next_metrics:
            self._next_metrics = time.monotonic() + METRICS_EVERY
            report.write_metrics(self.metrics())
