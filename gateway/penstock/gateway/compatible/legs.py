"""Legs, which are the runs of LangGraph's clients: found by their ids, with their status."""

from __future__ import annotations

__all__ = [
    "FoundLeg",
    "LegStatus",
    "find_leg",
    "find_legs",
    "is_rolled_back",
    "leg_status",
    "newest_leg",
]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.redis.plans.creation import is_run_id
from penstock.runtime.redis.plans.legs import read_legs, read_many_legs
from penstock.runtime.types.leg import Leg, RunLegs, leg_place
from penstock.runtime.types.run import Run, RunStatus

LegStatus: TypeAlias = Literal["pending", "running", "success", "error", "timeout", "interrupted"]

ROLLED_BACK: Final = "rollback"
"""The reason of a run that was rolled back and is not shown."""

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
        """The status, in the words of clients."""
        if self.leg.left_as is not None:
            return "error" if self.leg.left_as is RunStatus.FAILED else "success"
        return leg_status(self.run)

    @property
    def is_over(self) -> bool:
        """Whether this leg has ended: its run is over or waits for an answer."""
        return self.status not in ("pending", "running")


def leg_status(run: Run) -> LegStatus:
    """Return the status of the newest leg of a run."""
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
    (found,) = await find_legs(client, [leg_id], thread_id)
    return found


async def find_legs(
    client: AsyncClient, leg_ids: Sequence[str], thread_id: str | None = None
) -> list[FoundLeg]:
    """Find legs by their ids.

    Raises:
        RunNotFoundError: one of them is none, or one of another thread.
    """
    places = [leg_place(each) for each in leg_ids]
    run_ids = dict.fromkeys(run_id for run_id, number in places if number and is_run_id(run_id))
    read = await client.do(read_many_legs(client.plans, list(run_ids))) if run_ids else []
    known = {legs.run.run_id: legs for legs in read if not is_rolled_back(legs.run)}
    found: list[FoundLeg] = []
    for leg_id, (run_id, number) in zip(leg_ids, places, strict=True):
        legs = known.get(run_id)
        is_of_it = legs is not None and thread_id in (None, legs.run.thread_id)
        if legs is None or not is_of_it or not 0 < number <= len(legs.legs):
            raise RunNotFoundError(leg_id, f"no run {leg_id!r}{_on(thread_id)}.")
        found.append(FoundLeg(legs, legs.legs[number - 1]))
    return found


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
