"""What a process logs of the runs that it executes."""

from __future__ import annotations

__all__ = ["log_broken", "log_end", "log_fields", "log_lost"]

import logging
import traceback
from typing import Any

from penstock.runtime.journal.result import Result
from penstock.runtime.redis.replies import Claim

logger = logging.getLogger(__name__)


def log_fields(claim: Claim, event: str) -> dict[str, Any]:
    """Return the extras of a record about a run."""
    fields = claim.fields
    return {
        "run_id": claim.lease.run_id,
        "entrypoint": fields["entrypoint"],
        "thread_id": fields["thread"],
        "queue": fields["queue"],
        "attempt": int(fields.get("attempt", 0)),
        "version": fields.get("version", ""),
        "event": event,
    }


def log_broken(claim: Claim, error: BaseException) -> None:
    """Log that an attempt ended for a reason that is none of the run's code."""
    run_id, extra = claim.lease.run_id, log_fields(claim, "run.broken")
    logger.error("run %s could not be executed", run_id, exc_info=error, extra=extra)


def log_lost(claim: Claim) -> None:
    """Log that another worker has the run."""
    run_id = claim.lease.run_id
    logger.warning("run %s is left to another attempt", run_id, extra=log_fields(claim, "run.lost"))


def log_end(claim: Claim, result: Result, seconds: float, cause: str) -> None:
    """Log how an attempt ended: a failed run is one record at ERROR, with its traceback.

    `cause` is the group of failures that a failure is of.
    """
    name, step_id = claim.fields["entrypoint"], claim.fields.get("home_step")
    error, level = result.error, logging.INFO
    extra = log_fields(claim, "run.ended") | {"status": result.status, "duration": seconds}
    if error is not None:  # of a remote step it is up to its run what comes of it
        level = logging.ERROR if result.status == "failed" else logging.WARNING
        extra["cause"] = cause
    logger.log(
        level,
        "%s %s %s in %.3f s%s",
        f"step {step_id} of {name} {claim.fields['home']}, as run" if step_id else name,
        claim.lease.run_id,
        result.status,
        seconds,
        f": {traceback.format_exception_only(error)[0].strip()}" if error is not None else "",
        exc_info=error,
        extra=extra,
    )
