"""The same done to many runs, a page of them at a time, as plans without IO."""

from __future__ import annotations

__all__ = ["PAGE", "Bulk"]

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.plans.rerun import read_past, write_rerun
from penstock.runtime.redis.plans.search import SearchPlans, Stages
from penstock.runtime.settings import Settings
from penstock.runtime.types.bulk import BulkProgress
from penstock.runtime.types.run_filter import RunFilter, RunPage

PAGE: Final = 100
"""Runs that one script call changes at most: it takes a few milliseconds."""


@dataclass(slots=True)
class Bulk:
    """One way through the runs that pass a filter.

    Each run is changed only if it still has the status that was read, in the same attempt. So a
    bulk that was killed can be repeated, and two may be under way: no run is changed twice.
    """

    plans: RequestPlans
    search: SearchPlans
    settings: Settings
    action: str
    wanted: RunFilter
    is_dry: bool = False
    done: int = 0
    skipped: int = 0
    _walk: Stages | None = None
    is_over: bool = False

    def step(self) -> Plan[BulkProgress]:
        """Do it to the runs of the next page."""
        if self._walk is None:
            self._walk = yield from self.search.walk(self.wanted)
        page = yield from self.search.next_page(self._walk, self.wanted, PAGE)
        changed = [run.run_id for run in page]
        if page and not self.is_dry:
            changed = yield from self._change(page)
        self.done += len(changed)
        self.skipped += len(page) - len(changed)
        self.is_over = page.after is None
        return BulkProgress(self.done, self.skipped, tuple(changed))

    def _change(self, page: RunPage) -> Plan[list[str]]:
        runs = [(run.run_id, str(run.status), page.epochs[run.run_id]) for run in page]
        if self.action == "rerun":
            return (yield from self._rerun(runs))
        done = yield self.plans.calls.bulk(self.action, runs)
        return [run_id for (run_id, *_), is_done in zip(runs, done, strict=True) if is_done]

    def _rerun(self, runs: Sequence[tuple[str, str, str]]) -> Plan[list[str]]:
        """Create the new runs: the id of each says whose it is, so that there is one only."""
        created: list[str] = []
        calls = self.plans.calls
        for run_id, status, epoch in runs:
            try:
                past = yield from read_past(self.plans, run_id)
            except RunNotFoundError:
                continue  # it has been deleted meanwhile
            if (past.fields["status"], past.fields.get("epoch", "")) != (status, epoch):
                continue
            new_id = hashlib.blake2b(f"{run_id} {epoch}".encode(), digest_size=16).hexdigest()
            creation = write_rerun(self.plans, self.settings, past, new_id)
            if calls.enqueued((yield calls.enqueue(creation))).word == "created":
                created.append(new_id)
        return created
