"""What is known of a thread that has no record: its newest run says it. No IO."""

from __future__ import annotations

__all__ = ["read_standing", "status_left"]

from datetime import UTC, datetime

from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.requests import Plan, Reads, RequestPlans
from penstock.runtime.types.run import OPEN, Run, RunStatus
from penstock.runtime.types.thread_record import ThreadRecord, ThreadStatus


def read_standing(plans: RequestPlans, thread_id: str) -> Plan[ThreadRecord | None]:
    """Read what is known of a thread; None if nobody knows it."""
    run_id = yield from plans.last_run(thread_id)
    if run_id is None:
        name = thread_key(thread_id)
        known = yield Reads(
            [("EXISTS", plans.keys.thread(name)), ("EXISTS", plans.keys.graph(name))]
        )
        if not any(known):
            return None
    run: Run | None = None
    if run_id is not None:
        try:
            run = yield from plans.info(run_id)
        except RunNotFoundError:
            run = None
    created = run.created_at if run else datetime.now(UTC)
    updated = (run and (run.finished_at or run.started_at)) or created
    return ThreadRecord(thread_id, status_left(run), created, updated, run_id=run_id or "")


def status_left(run: Run | None) -> ThreadStatus:
    """Return the status in which a run leaves its thread; None stands for no run or a gone one."""
    if run is None or run.status is RunStatus.COMPLETED:
        return ThreadStatus.IDLE
    if run.status in OPEN:
        return ThreadStatus.INTERRUPTED if run.asks else ThreadStatus.BUSY
    if run.status is RunStatus.FAILED:
        return ThreadStatus.ERROR
    return ThreadStatus.IDLE if run.reason == "rollback" else ThreadStatus.INTERRUPTED
