"""The futures of steps that are on the record: with their outcomes, or cancelled as they were."""

from __future__ import annotations

__all__ = ["cancel_mark", "cancelled", "recalled", "stamped"]

import asyncio
from typing import Any, cast

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.step import Scope
from penstock.runtime.engine.waiting.cancel_mark import CancelMark
from penstock.runtime.engine.waiting.future import (
    LoopFuture,
    OutcomeUse,
    StepFuture,
    retrieve,
    settle,
)
from penstock.runtime.engine.waiting.order import Order
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.stamp import FIRST, Stamp
from penstock.runtime.journal.outcome import Outcome


def cancel_mark(scope: Scope, step_id: str) -> CancelMark | None:
    """Return the mark of a step that the same try of the same code has cancelled before.

    If so, it counts as asked for.
    """
    attempt = scope.attempt
    if f"@{step_id}" in attempt.given_up:
        return None
    mark = attempt.replay.cancelled(step_id)
    if mark is None or mark.tries != scope.step.tries:
        return None
    attempt.replay.leftovers.ask(step_id)
    return mark


def cancelled(
    use: OutcomeUse,
    loop: asyncio.AbstractEventLoop | None,
    order: Order | None,
    mark: CancelMark,
) -> StepFuture[Any]:
    """Return the future of a step that is not to be executed: its caller cancels it again."""
    if order is None or loop is None:
        future: StepFuture[Any] = StepFuture(use)
        future.cancel()
        return future
    place = order.begin(use.step_id)
    awaitable: LoopFuture[Any] = LoopFuture(use, loop, place=place)
    if mark.stamp:
        place.stamp = Stamp.read(mark.stamp)
        awaitable.replay_cancelled(place, mark.requests)
    return cast("StepFuture[Any]", awaitable)


def recalled(
    use: OutcomeUse,
    outcome: Outcome,
    loop: asyncio.AbstractEventLoop | None,
    place: Place | None,
) -> StepFuture[Any]:
    """Return the future of a step with an outcome; code on the loop gets it when its turn comes.

    `loop` is that of the caller, None for one in a thread.
    """
    if loop is None:
        future: StepFuture[Any] = StepFuture(use)
        settle(future, outcome)
        return future
    awaitable: LoopFuture[Any] = LoopFuture(use, loop, place=place)
    awaitable.add_done_callback(retrieve)
    awaitable.replay(outcome)
    return cast("StepFuture[Any]", awaitable)


def stamped(
    attempt: Attempt, order: Order, step_id: str, outcome: Outcome, *, is_remote: bool = False
) -> Place:
    """Open the place of a step that is recorded, with the stamp that it has.

    The stamp in the outcome says when the step ended, a later one when the code got to know. Where
    another queue has recorded it, this run may get to know only now.
    """
    place = order.begin(step_id)
    if not outcome.at and not is_remote:
        place.stamp = FIRST
        return place
    texts = (outcome.at, attempt.replay.stamp(step_id))
    place.stamp = max((Stamp.read(text) for text in texts if text), default=None)
    if place.stamp is None and (stamp := place.claim()):
        attempt.journal.keep(f"@{step_id}", stamp)
    return place
