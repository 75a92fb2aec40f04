"""Legs, which are the runs of LangGraph's clients: found by their ids, with their status."""

from __future__ import annotations

__all__ = ["FoundLeg", "LegStatus", "find_leg", "newest_leg"]

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import ConfigurationError, RunNotFoundError
from penstock.runtime.redis.plans.legs import read_legs
from penstock.runtime.types.leg import Leg, RunLegs, leg_place
from penstock.runtime.types.run import Run, RunStatus

LegStatus: TypeAlias = Literal["pending", "running", "success", "error", "timeout", "interrupted"]

ROLLED_BACK: Final = "rollback"
"""The reason of a run that is as if it had not been."""

_GOOD_ENDS: Final = ("superseded",)
"""Reasons of runs that were left as they asked: newer input came on the thread."""

_TIMEOUTS: Final = ("TimeoutError", "StepTimeoutError")


@dataclass(frozen=True, slots=True)
class FoundLeg:
    """A leg, with the run that it is of."""

    legs: RunLegs
    leg: Leg

    @property
    def run(self) -> Run:
        """The run as a whole."""
        return self.legs.run

    @property
    def is_newest(self) -> bool:
        """Whether no other leg of the run has begun."""
        return self.leg.end is None

    @property
    def status(self) -> LegStatus:
        """The status that clients are told."""
        if self.leg.left_as is not None:
            return "error" if self.leg.left_as is RunStatus.FAILED else "success"
        return _status(self.run)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of this leg, until somebody answers."""
        return self.status not in ("pending", "running")


def _status(run: Run) -> LegStatus:
    match run.status:
        case RunStatus.QUEUED:
            return "pending"
        case RunStatus.RUNNING:
            return "running"
        case RunStatus.SUSPENDED:
            if run.started_at is None:
                return "pending"  # it is to begin later
            return "success" if run.asks else "running"
        case RunStatus.COMPLETED:
            return "success"
        case RunStatus.FAILED:
            return "timeout" if run.reason.partition(":")[0] in _TIMEOUTS else "error"
        case RunStatus.CANCELLED:
            return "success" if run.reason in _GOOD_ENDS else "interrupted"


async def find_leg(client: AsyncClient, leg_id: str, thread_id: str | None = None) -> FoundLeg:
    """Find a leg by its id.

    Raises:
        RunNotFoundError: there is none, or it is one of another thread.
    """
    run_id, number = leg_place(leg_id)
    missing = RunNotFoundError(leg_id, f"no run {leg_id!r}{_on(thread_id)}.")
    if number == 0:
        raise missing
    try:
        legs = await client.do(read_legs(client.plans, run_id))
    except (ConfigurationError, RunNotFoundError) as error:
        raise missing from error
    is_of_it = thread_id is None or legs.run.thread_id == thread_id
    if not is_of_it or number > len(legs.legs) or is_rolled_back(legs.run):
        raise missing
    return FoundLeg(legs, legs.legs[number - 1])


async def newest_leg(client: AsyncClient, run_id: str) -> FoundLeg:
    """Return the newest leg of a run.

    Raises:
        RunNotFoundError: there is no such run.
    """
    legs = await client.do(read_legs(client.plans, run_id))
    return FoundLeg(legs, legs.legs[-1])


def is_rolled_back(run: Run) -> bool:
    """Tell whether a run is not shown, as it was rolled back."""
    return run.status is RunStatus.CANCELLED and run.reason == ROLLED_BACK


def _on(thread_id: Any) -> str:
    return "" if thread_id is None else f" on thread {thread_id!r}"
