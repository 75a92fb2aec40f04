"""Names that the queues and runs of a prefix have in RQ, so that prefixes can share a Redis."""

from __future__ import annotations

__all__ = ["World"]

import re
from dataclasses import dataclass
from typing import Final

DEFAULT: Final = "penstock"
"""The prefix whose queues and jobs have no mark in RQ."""

_OTHER: Final = re.compile(rb"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class World:
    """The names that one prefix has in RQ: `default@shop`, `order-1--shop`.

    RQ has one list for all queues of a name, and one hash for all jobs of an id. `names.lua` builds
    the same names.
    """

    prefix: str

    def queue(self, name: str) -> str:
        """Return RQ's name of a queue."""
        return name if self.prefix == DEFAULT else f"{name}@{self._mark()}"

    def queue_of(self, name: str) -> str | None:
        """Return the queue that a name of RQ's stands for; None if it is of another prefix."""
        if self.prefix == DEFAULT:
            return None if "@" in name else name
        queue, _, mark = name.rpartition("@")
        return queue if queue and mark == self._mark() else None

    def job(self, run_id: str) -> str:
        """Return RQ's id of a run."""
        return run_id if self.prefix == DEFAULT else f"{run_id}--{self._mark()}"

    def run(self, job_id: str) -> str:
        """Return the run that a job's id stands for; the id itself for any other job."""
        return job_id.removesuffix(self.job(""))

    def _mark(self) -> str:
        """Return the prefix in letters that RQ takes in a job's id."""
        text = self.prefix.encode("utf-8", "surrogateescape")
        return _OTHER.sub(lambda found: b"-%02X" % found[0][0], text).decode()
