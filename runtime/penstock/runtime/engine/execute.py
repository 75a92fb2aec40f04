"""Executes one attempt of a run: replays what is recorded, runs the rest, and ends it."""

from __future__ import annotations

__all__ = ["aconduct", "aexecute", "begin", "broken_off", "execute", "settled"]

import asyncio
from collections.abc import Mapping
from typing import Any

from penstock.publisher.errors import CodecError
from penstock.publisher.plan import afollow, follow
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.effects import Do, Keep, Plan
from penstock.runtime.engine.ending import ending_of
from penstock.runtime.engine.function.step_function import StepFunction, failing
from penstock.runtime.engine.lifecycle import perform, tries
from penstock.runtime.engine.loop_timers import LoopTimers
from penstock.runtime.engine.recording import start_run, take_back
from penstock.runtime.engine.runner import Runner
from penstock.runtime.engine.step import Step
from penstock.runtime.engine.task_factory import TaskFactory
from penstock.runtime.errors import Cancelled, Drained, LeaseLostError, Stop, Suspend
from penstock.runtime.journal.endings import Ending, Finished, Suspended
from penstock.runtime.journal.result import Result


def execute(runner: Runner, body: StepFunction, argument: Any) -> Result:
    """Execute a run's attempt in this thread.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    if body.timeout is not None:
        raise RuntimeError(
            f"entrypoint {body.name!r} has a timeout: use ainvoke or astream, or a worker."
        )
    step = _root(runner, body, argument)
    result: Result = follow(conduct(runner, step), lambda effect: runner.effect(step, effect))
    return result


async def aexecute(runner: Runner, body: StepFunction, argument: Any) -> Result:
    """Execute a run's attempt on the running loop; sync bodies in threads.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    return await aconduct(runner, _root(runner, body, argument))


async def aconduct(runner: Runner, step: Step) -> Result:
    """Execute an attempt of a run, or of a step that is performed for one, on the running loop.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    loop = asyncio.get_running_loop()
    factory = TaskFactory.enter(loop)
    LoopTimers.enter(loop)
    try:
        plan = conduct(runner, step)
        result: Result = await afollow(plan, lambda effect: runner.aeffect(step, effect))
    finally:
        if runner.exit is not None:
            runner.exit.cancel()
        LoopTimers.leave(loop)
        factory.leave(loop)
    return result


def _root(runner: Runner, body: StepFunction, argument: Any) -> Step:
    """Return the step that an attempt begins with; one that fails, where its key cannot be had."""
    args, cache = (argument,), runner.attempt.assignment.cache
    try:
        cached = body.cached_call(cache, runner.attempt.shared_codec, args, {})
    except Exception as error:  # of the application's key_func
        return Step(runner, None, "", failing(body.name, error), args, {})
    step = Step(runner, None, "", body, args, {})
    step.cached = cached
    return step


def conduct(runner: Runner, step: Step) -> Plan:
    """Plan an attempt: the body, its unfinished steps, the stored end."""
    attempt = runner.attempt
    result: Result = yield from _body(runner, step)
    attempt.failures.report_unseen()
    result, ending = settled(attempt, result)
    yield Do.STORE
    if isinstance(ending, (Finished, Suspended)) and ending.fact is not None:
        attempt.notify(ending.fact)
    return result


def settled(attempt: Attempt, result: Result) -> tuple[Result, Ending]:
    """Let the next flush of the journal store how an attempt has ended."""
    try:
        ending = ending_of(attempt, result)
    except CodecError as error:  # the result itself cannot be written
        result = Result("failed", error=error)
        ending = ending_of(attempt, result)
    attempt.is_over = True
    attempt.journal.close(ending)
    return result, ending


def _body(runner: Runner, step: Step) -> Plan:
    try:
        return (yield from _outcome(runner, step))
    except LeaseLostError:
        runner.running_steps.cancel_tasks()
        raise
    except BaseException as error:
        if step.is_async or isinstance(error, asyncio.CancelledError):
            runner.running_steps.cancel_tasks()
        if not isinstance(error, asyncio.CancelledError):
            try:
                yield Do.CHILDREN
            except asyncio.CancelledError:
                runner.running_steps.cancel_tasks()
        return broken_off(runner.attempt, step.name, error)


def _begin(attempt: Attempt, step: Step) -> Plan:
    if attempt.journal.has_past:
        begin(attempt, (yield Do.UNFINISHED))
    if not step.id:
        start_run(attempt, step.args[0])


def begin(attempt: Attempt, unfinished: Mapping[str, int]) -> None:
    """Say what an attempt says first: that what earlier ones said in vain is void."""
    for step_id, seq in unfinished.items():
        attempt.uncommitted.add(step_id, seq)
        take_back(attempt, step_id)


def _outcome(runner: Runner, step: Step) -> Plan:
    yield from _begin(runner.attempt, step)
    value: Any = None
    suspended = False
    found = error = None
    try:
        if step.id:
            error = yield from _performed(step)
        else:
            found = (yield Do.FIND) if step.cached is not None else None
            value = found[0] if found is not None else (yield from tries(step))
    except Suspend:
        suspended = True
    attempt = runner.attempt
    leaves = suspended or attempt.is_leaving
    yield Do.CHILDREN
    if attempt.waits.of("drain"):  # also of steps that the body did not wait for
        return Result("handed over")
    if leaves or (attempt.waits and not step.is_async):
        # Also when the body caught the Suspend and went on: what it waits for has not come yet.
        if not attempt.waits:
            raise RuntimeError(f"{step.name!r} raised Suspend itself, and waits for nothing")
        return Result("suspended", interrupts=attempt.questions.open)
    if not step.id and step.cached is not None and found is None:
        yield Keep(value)
    return Result("completed", value=value, error=error, is_cached=found is not None)


def _performed(step: Step) -> Plan:
    """Plan a step for another attempt, which finds on the record how it ended.

    The answer is the error that it has failed with, if it has. An attempt before this one may have
    recorded it, and died before it could tell.
    """
    outcome = step.attempt.replay.find(step.id)
    if outcome is not None:
        return outcome.error
    try:
        yield from perform(step)
    except LeaseLostError:
        raise
    except Exception as error:
        return error
    return None


def broken_off(attempt: Attempt, name: str, error: BaseException) -> Result:
    """Return how an attempt ends that an error, or a stop, has ended.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    if isinstance(error, asyncio.CancelledError) and attempt.stopping is not None:
        error = attempt.stopping
    if isinstance(error, Cancelled):
        return Result("cancelled")
    if isinstance(error, Drained):
        return Result("handed over")
    if isinstance(error, Stop) and attempt.stopping is not None:
        raise LeaseLostError(str(error)) from error
    if isinstance(error, Stop):  # of another attempt, and not of this one
        stale = RuntimeError(
            f"{name!r} used what it had kept of an attempt that is over: {error}. "
            "Get it anew in each run, as with get_stream_writer()."
        )
        stale.__cause__ = error
        error = stale
    error.add_note(f"in entrypoint {name!r}, run {attempt.assignment.run_id!r}")
    return Result("failed", error=error)
