"""The report as a plain loop computes it, without Penstock: what the run's result must equal."""

from __future__ import annotations

__all__ = ["Oracle"]

import threading
from collections import Counter

from penstock.worker.demo.flow import Report, Survey, counted_file, described_file, report_on
from penstock.worker.demo.folder import text_files


class Oracle(threading.Thread):
    """Computes the report in a thread, while the run waits for its lease to end."""

    def __init__(self, order: Survey) -> None:
        super().__init__(name="demo-oracle", daemon=True)
        self._order = order
        self._report: Report | None = None

    def run(self) -> None:
        """Compute it."""
        folder = self._order.folder
        listing = text_files(folder, self._order.limit)
        counted = [counted_file(folder, path) for path in listing.files]
        spread = Counter(term for each in counted for term in each.terms)
        described = [
            described_file(folder, each, {term: spread[term] for term in each.terms}, len(counted))
            for each in counted
        ]
        self._report = report_on(tuple(described))

    def report(self) -> Report | None:
        """Return the report; None if it cannot be computed."""
        if self.ident is None:
            self.start()
        self.join()
        return self._report
