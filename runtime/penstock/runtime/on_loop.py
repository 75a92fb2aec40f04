"""How a step is performed on the loop: when it begins, where it waits, when its caller knows."""

from __future__ import annotations

__all__ = ["aperform", "park"]

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.runtime.checkpoint import give_up_step
from penstock.runtime.errors import Suspend
from penstock.runtime.parking import Parked
from penstock.runtime.pauses import until
from penstock.runtime.perform import Park, perform
from penstock.runtime.plan import afollow

if TYPE_CHECKING:
    from penstock.runtime.order import Place
    from penstock.runtime.perform import Step


async def aperform(step: Step) -> Any:
    """Perform a step; its caller gets to know of its end when its turn comes."""
    place, runner = step.place, step.runner
    try:
        if step.gate is not None:
            await _admitted(step, step.gate)
        value = await afollow(perform(step), lambda effect: runner.aeffect(step, effect))
    except BaseException as error:
        return await _broken_off(step, error)
    if place is not None:
        place.future = step.task
        if not place.is_next():
            await _turn(step, place)
    return value


async def _turn(step: Step, place: Place) -> None:
    try:
        await place.turn()
    except asyncio.CancelledError:
        _forget(step)
        raise


async def _broken_off(step: Step, error: BaseException) -> Any:
    """End a step that has failed, or was left; where it waits for another attempt, so does this."""
    try:
        if isinstance(error, Suspend) and not step.attempt.is_ending:
            return await _stay(step, error)
        if isinstance(error, Exception) and step.place is not None:
            await step.place.turn()
        raise error
    except BaseException as raised:
        if not isinstance(raised, Exception):
            _forget(step)
        raise


def _forget(step: Step) -> None:
    """Note that nobody waits for a step any more."""
    if step.place is not None:
        step.place.drop()
    if step.sight is not None:
        step.sight.forget()


async def _admitted(step: Step, gate: asyncio.Future[None]) -> None:
    """Return when a replay has come to its end, so that new steps may begin."""
    held = step.runner.held_steps
    held.add(step.id)
    try:
        await gate
    except asyncio.CancelledError:
        give_up_step(step)
        raise
    finally:
        held.discard(step.id)


async def _stay(step: Step, error: Suspend) -> Any:
    """Wait for ever, as the body of a step has left the process; its caller may go on."""
    runner = step.runner
    runner.parked_steps.add(step.id)
    if runner.watch is not None:
        runner.watch.notice()
    try:
        return await Parked[Any](loop=runner.loop)
    except asyncio.CancelledError:
        for name in error.waits:
            step.attempt.waits.withdraw(name)
        give_up_step(step)
        raise
    finally:
        runner.parked_steps.discard(step.id)


async def park(step: Step, effect: Park) -> Any:
    """Wait for what a step waits for outside of its body: its next try, or another queue."""
    parked = step.runner.parked_steps
    (name,) = effect.away.waits
    parked.add(step.id)
    try:
        return await until(step, name, effect.seconds, None)
    finally:
        parked.discard(step.id)
