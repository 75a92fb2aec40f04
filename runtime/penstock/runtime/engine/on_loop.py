"""How a step is performed on the loop: when it begins, where it waits, when its caller knows."""

from __future__ import annotations

__all__ = ["aperform", "park"]

import asyncio
from typing import Any

from penstock.runtime.engine.effects import Park
from penstock.runtime.engine.lifecycle import perform
from penstock.runtime.engine.pauses import until
from penstock.runtime.engine.recording import give_up_step, stamp_cancelled_step
from penstock.runtime.engine.step import Step
from penstock.runtime.engine.waiting.future import retrieve
from penstock.runtime.engine.waiting.parking import Parked
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.errors import Suspend


async def aperform(step: Step) -> Any:
    """Perform a step; its caller gets to know of its end when its turn comes."""
    plan, do = perform(step), step.runner.aeffect
    try:
        if step.gate is not None:
            await _admitted(step, step.gate)
        effect = next(plan)
        while True:  # as `afollow`, which takes one coroutine more
            try:
                answer = await do(step, effect)
            except BaseException as error:
                effect = plan.throw(error)
            else:
                effect = plan.send(answer)
    except StopIteration as stop:
        return stop.value if _is_known(step) else await _in_turn(step, stop.value)
    except BaseException as error:
        return await _broken_off(step, error)
    finally:
        if step.task is not None:
            step.runner.running_steps.task_ended(step.task)


def _is_known(step: Step) -> bool:
    """Tell whether the caller of a step that has ended well may know it at once."""
    place = step.place
    if place is None:
        return True
    place.future = step.task
    return place.is_next()


async def _in_turn(step: Step, value: Any) -> Any:
    """Return a value when it is the turn of a step whose caller may not know of its end yet."""
    place = step.place
    if place is None:
        return value
    recorded = step.runner.running_steps.recorded
    recorded.add(step.id)
    try:
        await place.later()
    except asyncio.CancelledError:
        _forget(step)
        raise
    finally:
        recorded.discard(step.id)
    return value


async def _broken_off(step: Step, error: BaseException) -> Any:
    """End a step that has failed, or was left; where it waits for another attempt, so does this."""
    try:
        if isinstance(error, Suspend) and not step.attempt.is_ending:
            return await _stay(step, error)
        if isinstance(error, Exception) and step.place is not None:
            await step.place.turn()
        if isinstance(error, asyncio.CancelledError) and step.place is not None:
            await _cancelled(step, step.place)
        raise error
    except BaseException as raised:
        if not isinstance(raised, Exception):
            _forget(step)
        if step.task is not None:
            step.task.add_done_callback(retrieve)
        raise


async def _cancelled(step: Step, place: Place) -> None:
    """Let the caller know that a step has ended which it had cancelled, in its turn."""
    is_ordered = place.is_awaited or stamp_cancelled_step(step, place)
    if is_ordered and not place.is_next():
        await _in_turn(step, None)


def _forget(step: Step) -> None:
    """Note that nobody waits for a step any more."""
    if step.place is not None:
        step.place.drop()
    if step.use is not None:
        step.use.forget()


async def _admitted(step: Step, gate: asyncio.Future[None]) -> None:
    """Return when a replay has come to its end, so that new steps may begin."""
    held = step.runner.running_steps.held
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
    runner.running_steps.parked.add(step.id)
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
        runner.running_steps.parked.discard(step.id)


async def park(step: Step, effect: Park) -> Any:
    """Wait for what a step waits for outside of its body: its next try, or another queue."""
    parked = step.runner.running_steps.parked
    (name,) = effect.away.waits
    parked.add(step.id)
    try:
        return await until(step, name, effect.seconds, None)
    finally:
        parked.discard(step.id)
