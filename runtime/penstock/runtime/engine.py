"""Executes one attempt of a run: replays what is recorded, runs the rest, and ends it."""

from __future__ import annotations

__all__ = ["Result", "aconduct", "aexecute", "execute"]

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.publisher.errors import CodecError
from penstock.runtime.attempt import Attempt
from penstock.runtime.checkpoint import start_run, take_back
from penstock.runtime.errors import Cancelled, Drained, LeaseLostError, Stop, Suspend
from penstock.runtime.final import Final
from penstock.runtime.interrupt import Interrupt
from penstock.runtime.journal import Ending, Fact, Finished, HandedOver, Suspended
from penstock.runtime.kept import Kept
from penstock.runtime.outcome import Outcome, encode_outcome
from penstock.runtime.perform import Do, Keep, Plan, Step, perform, tries
from penstock.runtime.plan import afollow, follow
from penstock.runtime.reason import reason_of
from penstock.runtime.runner import Runner
from penstock.runtime.scope import TaskFactory

if TYPE_CHECKING:
    from penstock.runtime.task import Task

Status: TypeAlias = Literal["completed", "failed", "cancelled", "suspended", "handed over"]


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended."""

    status: Status
    value: Any = None
    error: BaseException | None = None
    interrupts: Sequence[Interrupt] = ()
    is_cached: bool = False


def execute(runner: Runner, body: Task[..., Any], argument: Any) -> Result:
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


async def aexecute(runner: Runner, body: Task[..., Any], argument: Any) -> Result:
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
    try:
        plan = conduct(runner, step)
        result: Result = await afollow(plan, lambda effect: runner.aeffect(step, effect))
    finally:
        factory.leave(loop)
    return result


def _root(runner: Runner, body: Task[..., Any], argument: Any) -> Step:
    step = Step(runner, None, "", body, (argument,), {})
    step.cached = body.cached_call(
        step.assignment.cache, runner.attempt.shared_codec, (argument,), {}
    )
    return step


def conduct(runner: Runner, step: Step) -> Plan:
    """Plan an attempt: the body, its unfinished steps, the stored end."""
    attempt = runner.attempt
    result: Result = yield from _body(runner, step)
    attempt.failures.report_unseen()
    try:
        ending = _ending(attempt, result)
    except CodecError as error:  # the result itself cannot be written
        result = Result("failed", error=error)
        ending = _ending(attempt, result)
    attempt.is_over = True
    attempt.journal.close(ending)
    yield Do.STORE
    if isinstance(ending, (Finished, Suspended)) and ending.fact is not None:
        attempt.heard(ending.fact)
    return result


def _body(runner: Runner, step: Step) -> Plan:
    try:
        return (yield from _outcome(runner, step))
    except LeaseLostError:
        runner.account.cancel_tasks()
        raise
    except BaseException as error:
        if step.is_async or isinstance(error, asyncio.CancelledError):
            runner.account.cancel_tasks()
        if not isinstance(error, asyncio.CancelledError):
            try:
                yield Do.CHILDREN
            except asyncio.CancelledError:
                runner.account.cancel_tasks()
        return _broken_off(runner.attempt, step, error)


def _begin(attempt: Attempt, step: Step) -> Plan:
    """Plan what an attempt says first: what earlier ones said in vain, and that it begins."""
    if attempt.journal.has_past:
        for step_id, seq in (yield Do.UNFINISHED).items():
            attempt.words.said(step_id, seq)
            take_back(attempt, step_id)
    if not step.id:
        start_run(attempt, step.args[0])


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
    yield Do.CHILDREN
    if suspended or runner.attempt.is_waiting:
        # Also when the body caught the Suspend and went on: what it waits for has not come yet.
        if not runner.attempt.is_waiting:
            raise RuntimeError(f"{step.name!r} raised Suspend itself, and waits for nothing")
        return Result("suspended", interrupts=runner.attempt.questions.open)
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


def _broken_off(attempt: Attempt, step: Step, error: BaseException) -> Result:
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
            f"{step.name!r} used what it had kept of an attempt that is over: {error}. "
            "Get it anew in each run, as with get_stream_writer()."
        )
        stale.__cause__ = error
        error = stale
    error.add_note(f"in entrypoint {step.name!r}, run {attempt.assignment.run_id!r}")
    return Result("failed", error=error)


def _ending(attempt: Attempt, result: Result) -> Ending:
    if result.status == "handed over":
        return HandedOver()
    if attempt.assignment.step_id:
        return _remote_ending(attempt, result)
    if result.status == "suspended":
        return _suspended(attempt, result)
    if result.status == "completed":
        return _completed(attempt, result)
    data = {"name": attempt.assignment.entrypoint, "status": result.status}
    if result.error is None:
        return Finished(
            "cancelled", Fact("run.finished", data, (), time.time()), reason="cancelled"
        )
    outcome = {"outcome": {"error": result.error}}
    fact = Fact("run.finished", data | outcome, (), time.time(), "result", inline=True)
    checkpoints: dict[str, str] = {}
    reason = type(result.error).__name__
    if attempt.journal.stores:
        failed = Outcome(error=result.error)
        checkpoints["result"] = encode_outcome(failed, attempt.codec, "result", "error of the run")
        reason = reason_of(result.error, attempt.codec)
    reopened = attempt.failures.reopened(result.error)
    tries = [name for step_id in (*reopened, "") for name in attempt.timers.of_retries(step_id)]
    return Finished("failed", fact, checkpoints, (*reopened, *tries), reason)


def _remote_ending(attempt: Attempt, result: Result) -> Finished | Suspended:
    """Return the end of an attempt whose step says itself what came of it."""
    if result.status == "suspended":
        return Suspended(None, {}, attempt.timers.wakes, remote=attempt.remotes.awaiting)
    if result.status == "completed":
        return Finished(
            "completed", None, reason=type(result.error).__name__ if result.error else ""
        )
    if result.error is None:
        return Finished("cancelled", None, reason="cancelled")
    return Finished("failed", None, reason=type(result.error).__name__)


def _suspended(attempt: Attempt, result: Result) -> Suspended:
    asked = [item.told() for item in result.interrupts]
    wakes, remote = attempt.timers.wakes, attempt.remotes.awaiting
    fact = Fact("run.interrupted", {"interrupts": asked}, (), time.time())
    if not asked and attempt.is_waiting:
        data: dict[str, Any] = {}
        if wakes is not None:
            data["seconds"] = round(max(0.0, wakes - attempt.journal.now()) / 1000, 3)
        if remote:
            data["steps"] = list(remote)
        fact = Fact("run.suspended", data, (), time.time())
    if not attempt.journal.stores:
        return Suspended(fact, {}, wakes)
    codec = attempt.codec
    questions = {
        item.id: codec.at("question", item.id).dumps(item.value) for item in result.interrupts
    }
    schemas = {
        item.id: codec.at("question", item.id, "schema").dumps(item.response_schema)
        for item in result.interrupts
        if item.response_schema is not None
    }
    checkpoints = {
        f"?{name}": attempt.questions.record(name, text, schemas.get(name))
        for name, text in questions.items()
    }
    return Suspended(fact, questions, wakes, schemas, checkpoints, remote)


def _completed(attempt: Attempt, result: Result) -> Finished:
    value, save = Final.split(result.value)
    checkpoints: dict[str, str] = {}
    if attempt.journal.stores:
        codec, told = attempt.codec, attempt.assignment
        done = Outcome(value)
        checkpoints["result"] = encode_outcome(done, codec, "result", "result of the run")
        checkpoints |= Kept(attempt.shared_codec, told.thread_id).write(value, save, "the run")
        checkpoints |= attempt.children.checkpoints()
    data: dict[str, Any] = {"name": attempt.assignment.entrypoint, "status": "completed"}
    if result.is_cached:
        data["cached"] = True
    text = ""
    if attempt.assignment.position is not None:
        position = attempt.assignment.position.finished(attempt.codec)
        text = f'{json.dumps(data)[:-1]},"checkpoint":{position}}}'
        if attempt.has_listener:
            data |= attempt.codec.fact("run.finished", {"checkpoint": json.loads(position)})
    data |= {"outcome": {"value": value}, "saved": save}
    fact = Fact("run.finished", data, (), time.time(), "result")
    return Finished("completed", fact, checkpoints, text=text)
