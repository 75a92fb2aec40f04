"""One action on many runs, a page of them at a time, as plans without IO."""

from __future__ import annotations

__all__ = ["PAGE", "Bulk"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.publisher.errors import CodecError
from penstock.runtime.errors import (
    ConfigurationError,
    ResumeError,
    RunNotFoundError,
    ThreadBusyError,
    UnknownCheckpointError,
)
from penstock.runtime.redis.calls import Creation
from penstock.runtime.redis.plans.amend_run import amend_run
from penstock.runtime.redis.plans.as_read import AsRead
from penstock.runtime.redis.plans.fork_run import prepare_fork
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.rerun import read_past, write_rerun
from penstock.runtime.redis.plans.search import SearchPlans, Stages
from penstock.runtime.redis.plans.threads import ThreadPlans
from penstock.runtime.settings import Settings
from penstock.runtime.types.bulk import BULK, BulkOrder, BulkProgress

PAGE: Final = 100
"""Runs that one script call changes at most: it takes a few milliseconds."""


@dataclass(slots=True)
class Bulk:
    """One way through the runs that pass a filter.

    Each run is changed only if it still has the status that was read, in the same attempt. So a
    bulk that was killed can be repeated, and two may be under way: no run is changed twice.
    """

    threads: ThreadPlans
    search: SearchPlans
    settings: Settings
    order: BulkOrder
    is_dry: bool = False
    own: str = ""
    """The run that does this, which is left alone; "" for none."""
    after: str | None = None
    """The cursor where it goes on."""
    done: int = 0
    skipped: int = 0
    _walk: Stages | None = None
    is_over: bool = False

    def step(self) -> Plan[BulkProgress]:
        """Do it to the runs of the next page."""
        wanted = self.order.wanted
        if self._walk is None:
            self._walk = yield from self.search.walk(wanted, self.after)
        page = yield from self.search.next_page(self._walk, wanted, PAGE)
        runs = [
            AsRead(run.run_id, str(run.status), page.epochs[run.run_id])
            for run in page
            if run.run_id != self.own and not (run.entrypoint == BULK and self._executes)
        ]
        changed = [run.run_id for run in runs]
        if runs and not self.is_dry:
            changed = yield from self._change(runs)
        self.done += len(changed)
        self.skipped += len(runs) - len(changed)
        self.after = page.after
        self.is_over = page.after is None
        return BulkProgress(self.done, self.skipped, tuple(changed))

    @property
    def _executes(self) -> bool:
        """Whether runs are executed again: those that change many runs are left alone."""
        return self.order.action in ("resume", "rerun", "fork")

    def _change(self, runs: Sequence[AsRead]) -> Plan[list[str]]:
        order = self.order
        if order.action in ("rerun", "fork") or order.accept or order.forget:
            changed: list[str] = []
            for run in runs:
                if name := (yield from self._change_one(run)):
                    changed.append(name)
            return changed
        calls = self.threads.plans.calls
        as_read = [(run.run_id, run.status, run.epoch) for run in runs]
        done = yield calls.bulk(order.action, as_read)
        return [run.run_id for run, is_done in zip(runs, done, strict=True) if is_done]

    def _change_one(self, run: AsRead) -> Plan[str]:
        """Do it to one run; returns the run that it was done to or that was made, or ""."""
        order = self.order
        try:
            if order.action == "rerun":
                return (yield from self._rerun(run))
            if order.action == "fork":
                return (yield from self._fork(run))
            yield from amend_run(
                self.threads.plans, run.run_id, order.accept, order.forget, epoch=run.epoch
            )
        except (
            CodecError,
            ConfigurationError,
            ResumeError,
            RunNotFoundError,
            ThreadBusyError,
            UnknownCheckpointError,
        ):
            return ""  # it has changed meanwhile, has no such step, or cannot be read here
        return run.run_id

    def _rerun(self, run: AsRead) -> Plan[str]:
        plans = self.threads.plans
        past = yield from read_past(plans, run.run_id)
        if not run.is_still(past.fields):
            return ""
        creation = write_rerun(plans, self.settings, past, run.name_of_new(""))
        return (yield from self._create(creation))

    def _fork(self, run: AsRead) -> Plan[str]:
        new_id = run.name_of_new(f"fork {self.order.after_step}")
        creation = yield from prepare_fork(
            self.threads, self.settings, run, self.order.after_step, new_id
        )
        return "" if creation is None else (yield from self._create(creation))

    def _create(self, creation: Creation) -> Plan[str]:
        """Create a new run, whose id says whose it is and of which attempt: so there is one."""
        calls = self.threads.plans.calls
        word = calls.enqueued((yield calls.enqueue(creation))).word
        return creation.run_id if word == "created" else ""
