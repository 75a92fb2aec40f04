"""The futures of steps that are on the record: with their outcomes, or cancelled as they were."""

from __future__ import annotations

__all__ = ["cancelled", "recalled", "stamped", "stamped_elsewhere", "was_cancelled"]

from typing import TYPE_CHECKING, Any, cast

from penstock.runtime.future import LoopFuture, Sight, StepFuture, retrieve, settle
from penstock.runtime.order import Order, Place
from penstock.runtime.outcome import Outcome
from penstock.runtime.stamp import FIRST, Stamp

if TYPE_CHECKING:
    import asyncio

    from penstock.runtime.attempt import Attempt
    from penstock.runtime.scope import Scope


def was_cancelled(scope: Scope, step_id: str) -> bool:
    """Tell whether the same try of the same code has cancelled a step in an earlier attempt."""
    attempt = scope.attempt
    if f"@{step_id}" in attempt.given_up:
        return False
    return attempt.replay.cancelled_in(step_id) == scope.step.tries


def cancelled(
    sight: Sight, loop: asyncio.AbstractEventLoop | None, order: Order | None
) -> StepFuture[Any]:
    """Return the future of a step that is not to be executed: its caller cancels it again."""
    if order is None or loop is None:
        future: StepFuture[Any] = StepFuture(sight)
        future.cancel()
        return future
    return cast("StepFuture[Any]", LoopFuture[Any](sight, loop, place=order.begin()))


def recalled(
    sight: Sight,
    outcome: Outcome,
    loop: asyncio.AbstractEventLoop | None,
    place: Place | None,
) -> StepFuture[Any]:
    """Return the future of a step with an outcome; code on the loop gets it when its turn comes.

    `loop` is that of the caller, None for one in a thread.
    """
    if loop is None:
        future: StepFuture[Any] = StepFuture(sight)
        settle(future, outcome)
        return future
    awaitable: LoopFuture[Any] = LoopFuture(sight, loop, place=place)
    awaitable.add_done_callback(retrieve)
    awaitable.replay(outcome)
    return cast("StepFuture[Any]", awaitable)


def stamped(order: Order, outcome: Outcome) -> Place:
    """Open the place of a step that this run has recorded, with the stamp that it has."""
    place = order.begin()
    place.stamp = Stamp.read(outcome.at) if outcome.at else FIRST
    return place


def stamped_elsewhere(attempt: Attempt, order: Order, step_id: str) -> Place:
    """Open the place of a step that another queue has recorded.

    When this run got to know of it, an earlier attempt has recorded by itself, or this one does.
    """
    place = order.begin()
    if text := attempt.replay.stamp(step_id):
        place.stamp = Stamp.read(text)
    elif stamp := place.claim():
        attempt.journal.keep(f"@{step_id}", stamp)
    return place
