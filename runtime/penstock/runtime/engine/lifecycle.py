"""What happens to a body from start to outcome, as a plan without IO."""

from __future__ import annotations

__all__ = ["call_of", "drained", "perform", "tries", "ungroup"]

import asyncio
from collections.abc import Generator, Iterator
from typing import Any, cast

from penstock.runtime.engine.attempt.timers import retry_timer
from penstock.runtime.engine.effects import BODY, Do, Effect, Keep, Park, Pause, Plan
from penstock.runtime.engine.recording import (
    fail_step,
    finish_step,
    give_up_step,
    retry_step,
    start_step,
)
from penstock.runtime.engine.step import Scope, Step
from penstock.runtime.engine.waiting.waits import Wait
from penstock.runtime.errors import LeaseLostError, Stop, Suspend
from penstock.runtime.journal.outcome import Outcome
from penstock.runtime.journal.remote_call import RemoteCall, lost
from penstock.runtime.types.retry import delay_after


def perform(step: Step) -> Plan:
    """Plan a step: its tries, then its recorded outcome; or who performs it, if it is another's."""
    attempt = step.attempt
    try:
        if attempt.control.drain_requested:
            yield from _held_back(step)
        if step.queue:
            return (yield from _sent(step))
        start_step(step)
        try:
            found = (yield Do.FIND) if step.cached is not None else None
            value = found[0] if found is not None else (yield from tries(step))
            finish_step(step, value, cached=found is not None)
            if step.cached is not None and found is None:
                yield Keep(value)
        except asyncio.CancelledError:
            give_up_step(step)
            raise
        except Exception as error:
            fail_step(step, error)
            if attempt.durability == "sync":
                yield Do.STORE
            raise
        if attempt.durability == "sync":
            yield Do.STORE
        return value
    finally:
        attempt.uncommitted.end(step.id)
        del step.scope  # which refers to the step: without the circle both go at once


def _held_back(step: Step) -> Plan:
    """Leave a step, or its next try, to the next attempt: nothing begins while a run drains."""
    try:
        yield Park(drained(step))
    except asyncio.CancelledError:
        give_up_step(step)
        raise


def drained(step: Step) -> Suspend:
    """Let a run be handed over, as code of a step cannot go on here; returns what leaves it."""
    what = f"step {step.id!r}" if step.id else "the run"
    return Suspend(f"{what} goes on in another process", step.attempt.waits.add_drained(step.id))


def _sent(step: Step) -> Plan:
    """Plan a step that others perform: they say and record all of it, and bring the run back."""
    run_id = step.assignment.run_id
    try:
        reply = "" if _is_under_way(step) else (yield Do.SEND)
        found = reply or (yield from _away(step))
        if step.place is not None and (stamp := step.place.claim()):
            step.attempt.journal.keep(f"@{step.id}", stamp)  # when this run got to know
        if isinstance(found, str):
            raise lost(run_id, step.id, found)
    except LeaseLostError:
        raise
    except Exception as error:
        fail_step(step, error)
        if step.attempt.durability == "sync":
            yield Do.STORE
        raise
    if found.error is not None:
        step.attempt.failures.add(step.id, found.error, step.use)
    return found.get()


def _away(step: Step) -> Generator[Effect, Any, Outcome | str]:
    """Wait for a step elsewhere; returns its outcome, or `!<status> <reason>` if nothing came."""
    attempt = step.attempt
    attempt.waits.add(Wait(step.id, "step", step.id))
    where = f"step {step.id!r} of run {step.assignment.run_id!r}"
    found: Outcome | str = yield Park(
        Suspend(f"{where} is performed on queue {step.queue!r}", step.id)
    )
    attempt.waits.withdraw(step.id)
    return found


def _is_under_way(step: Step) -> bool:
    """Tell whether an earlier attempt has sent this very call, and it was not over at the claim."""
    sent = step.attempt.journal.sent(step.id)
    if sent is None:
        return False
    return step.attempt.codec.at("remote", step.id).opened(sent) == step.arguments


def call_of(step: Step) -> RemoteCall:
    """Write a step down as it is sent to its queue, with the key of the run's input.

    Who performs it again finds by that key what is recorded below it.

    Raises:
        CodecError: the arguments cannot be written; names the step.
    """
    text, codec = step.arguments, step.attempt.replay.codec
    if text is None:
        given = [list(step.args), dict(sorted(step.kwargs.items()))]
        text = codec.plain.dumps(given, f"arguments of step {step.id!r}")
    sealed = codec.at("remote", step.id).seal(text)
    return RemoteCall(step.id, step.name, step.queue, step.digest, sealed)


def tries(step: Step) -> Plan:
    """Plan the tries of a body: again, after a wait, as long as its policies say so.

    Those of earlier attempts count. Of a try that has failed, or was cancelled, nothing counts that
    a thread it has left behind still does. One that waits may have more to ask elsewhere.
    """
    if step.policies:
        yield from _earlier_tries(step)
    while True:
        try:
            value = yield BODY
        except BaseException as raised:
            yield from _try_again(step, raised)
        else:
            if step.attempt.journal.has_past:
                _check_end(step)
            return value


def _try_again(step: Step, raised: BaseException) -> Plan:
    """Wait for the next try of a body after one that has ended so; raise if there is none."""
    error = ungroup(raised)
    step.scope.is_abandoned = not isinstance(error, Suspend)
    delay = None
    if isinstance(error, Exception):
        delay = delay_after(step.policies, error, step.tries)
    if delay is None:
        if error is raised:
            raise raised
        raise error from None
    retry_step(step, error, delay)
    step.tries += 1
    yield from _pause(step, delay)
    step.scope = Scope(step)


def _check_end(step: Step) -> None:
    """Refuse the end of a body that has not asked for all that it had called before."""
    attempt = step.attempt
    if attempt.waits or attempt.is_ending:
        return  # it has caught what takes it out of the process, and is called again
    attempt.replay.leftovers.check_end(step.id, step.name, step.function, step.tries)


def _earlier_tries(step: Step) -> Plan:
    while step.attempt.timers.has_begun(retry_timer(step.id, step.tries + 1)):
        step.tries += 1
    if step.tries > 1:
        yield from _pause(step, 0.0)


def _pause(step: Step, seconds: float) -> Plan:
    """Wait for a step's next try: here, or away from the process if that takes long."""
    timers, timer = step.attempt.timers, retry_timer(step.id, step.tries)
    left = timers.begin(timer, seconds)
    if left > step.attempt.journal.patience:
        yield Park(timers.wait(timer, step.id), left)
        step.attempt.waits.withdraw(timer)
    elif left > 0:
        yield Pause(left, is_between_tries=True)
    if step.attempt.control.drain_requested:
        yield from _held_back(step)


def ungroup(error: BaseException) -> BaseException:
    """Return what a group of exceptions comes to: its failures, else what it leaves the run for.

    A TaskGroup raises what its tasks raised in a group, also where they wait or are stopped.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    members = list(_leaves(cast("BaseExceptionGroup[BaseException]", error)))
    leaving = [member for member in members if isinstance(member, (Suspend, Stop))]
    failures = [member for member in members if isinstance(member, Exception)]
    if not leaving:
        return cast(BaseException, error)
    return ExceptionGroup("several steps failed", failures) if failures else leaving[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for member in group.exceptions:
        if isinstance(member, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", member))
        else:
            yield member
