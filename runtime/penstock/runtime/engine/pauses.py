"""How code of a run pauses: in its thread until the process is left, or parked on the loop."""

from __future__ import annotations

__all__ = ["apause", "pause", "place_of", "until", "until_known", "wait_if_given_up"]

import asyncio
import contextvars
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.effects import Pause
from penstock.runtime.engine.step import Branch, Scope, Step
from penstock.runtime.engine.waiting.cancel_mark import CancelMark
from penstock.runtime.engine.waiting.parking import Parked, muted
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.stamp import FIRST, Stamp


def pause(branch: Branch, seconds: float) -> None:
    """Pause code in a thread.

    Raises:
        Suspend: it takes longer than the process is held for it.
    """
    scope = branch.scope
    name = _pause_name(branch, seconds)
    left = scope.attempt.timers.begin(name, seconds)
    if left > scope.attempt.journal.patience:
        raise scope.attempt.timers.wait(name, scope.step_id)
    if left > 0:
        scope.step.runner.effect(scope.step, Pause(left))


async def apause(branch: Branch, seconds: float) -> None:
    """Pause code on the loop; for a long pause, the run may leave its process meanwhile."""
    scope = branch.scope
    attempt, name = scope.attempt, _pause_name(branch, seconds)
    left = attempt.timers.begin(name, seconds)
    place, recorded = place_of(scope, name)
    await wait_if_given_up(scope.step, name)
    if not recorded and left > attempt.journal.patience:
        attempt.timers.wait(name, scope.step_id)
        await until(scope.step, name, left, place)
    elif not recorded and left > 0:
        try:
            with muted():
                await scope.step.runner.aeffect(scope.step, Pause(left))
        except asyncio.CancelledError:
            if place is not None:
                place.drop()
                _give_up(scope.step, name)
            raise
    await until_known(attempt, name, place, recorded)


def _pause_name(branch: Branch, seconds: float) -> str:
    path, number = branch.number("%", seconds)
    return f"{path}%{number}"


def place_of(scope: Scope, name: str) -> tuple[Place | None, str]:
    """Open a wait's place, if there is an order; returns it with the stamp on the record."""
    order = scope.step.runner.orders.of(scope)
    if order is None:
        return None, ""
    place = order.begin(name)
    recorded = scope.attempt.replay.stamp(name)
    if recorded:
        place.stamp = Stamp.read(recorded)
    return place, recorded


async def until_known(
    attempt: Attempt, name: str, place: Place | None, recorded: str, mark: str = ""
) -> None:
    """Let the code know in its turn that a wait is over, and record when it got to know."""
    attempt.waits.withdraw(name)
    if place is None:
        return
    if not recorded:
        await place.caught_up()
        place.ending = mark
        stamp = place.claim()
        if stamp or mark:
            attempt.journal.keep(f"@{name}", f"{stamp or FIRST}{mark}")
    await place.turn()


async def until(step: Step, name: str, seconds: float | None, place: Place | None) -> Any:
    """Park the calling branch until a wait is over, and return what it waited for.

    That is an answer or an outcome, None if its time is over. Where the branch is cancelled, it
    waits for nothing any more.
    """
    attempt, loop = step.attempt, asyncio.get_running_loop()
    parked: Parked[Any] = Parked(loop=loop)
    attempt.parked[name] = parked
    timer = None
    if seconds is not None:
        timer = loop.call_later(max(seconds, 0.0), _over, parked, context=contextvars.Context())
    if step.runner.watch is not None:
        step.runner.watch.notice()
    try:
        with _resting(step):
            return await parked
    except asyncio.CancelledError:
        attempt.waits.withdraw(name)
        if place is not None:
            place.drop()
            _give_up(step, name)
        raise
    finally:
        attempt.parked.pop(name, None)
        if timer is not None:
            timer.cancel()


def _give_up(step: Step, name: str) -> None:
    """Record that code has given up what it waited for, so that no later attempt waits for it."""
    attempt = step.attempt
    if not attempt.is_ending and not step.runner.running_steps.has_cancelled:
        attempt.given_up.add(f"@{name}")
        attempt.journal.mark(f"@{name}", str(CancelMark(step.tries)))


async def wait_if_given_up(step: Step, name: str) -> None:
    """Wait for ever for what an earlier attempt has given up, if the same try of its code has."""
    mark = step.attempt.replay.cancelled(name)
    if mark is not None and mark.tries == step.tries:
        await Parked[None](loop=asyncio.get_running_loop())


def _over(parked: Parked[Any]) -> None:
    if not parked.done():
        parked.set_result(None)


@contextmanager
def _resting(step: Step) -> Generator[None]:
    """Let a step that waits take neither its time nor a place among those that run."""
    deadline = step.deadline
    if deadline is not None:
        deadline.pause()
    limiter, performer = step.runner.limiter, step.performer()
    had_place = performer is not None and limiter.rest(performer)
    try:
        yield
    finally:
        if had_place and performer is not None:
            limiter.go_on(performer)
        if deadline is not None:
            deadline.go_on()
