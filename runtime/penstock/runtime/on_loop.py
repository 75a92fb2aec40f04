"""How a step is performed on the loop: when it begins, where it waits, when its caller knows."""

from __future__ import annotations

__all__ = ["aperform", "park"]

import asyncio
from typing import TYPE_CHECKING, Any

from penstock.runtime.checkpoint import give_up_step
from penstock.runtime.errors import Suspend
from penstock.runtime.future import StepTask
from penstock.runtime.parking import Parked
from penstock.runtime.pauses import until
from penstock.runtime.perform import Park, perform
from penstock.runtime.plan import afollow

if TYPE_CHECKING:
    from penstock.runtime.order import Ticket
    from penstock.runtime.perform import Step


async def aperform(step: Step) -> Any:
    """Perform a step; its caller gets to know of its end when its turn comes."""
    try:
        return await _known(step, step.ticket)
    except Exception:
        raise
    except BaseException:
        if step.ticket is not None:
            step.ticket.drop()
        if step.sight is not None:
            step.sight.forget()
        raise


async def _known(step: Step, ticket: Ticket | None) -> Any:
    try:
        value = await _outcome(step)
    except Exception:
        if ticket is not None:
            await ticket.turn()
        raise
    if ticket is not None:
        task = asyncio.current_task()
        if isinstance(task, StepTask) and task.sight is step.sight:
            ticket.future = task
        if not ticket.is_next():
            await ticket.turn()
    return value


async def _outcome(step: Step) -> Any:
    runner = step.runner
    if step.gate is not None:
        await _admitted(step, step.gate)
    try:
        return await afollow(perform(step), lambda effect: runner.aeffect(step, effect))
    except Suspend as error:
        if step.attempt.is_ending:
            raise
        return await _stay(step, error)


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
