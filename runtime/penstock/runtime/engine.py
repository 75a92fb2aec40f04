"""Executes one attempt of a run: replays what is recorded, runs the rest, and ends it."""

from __future__ import annotations

__all__ = ["Result", "aexecute", "execute"]

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.publisher.failure import dump_error
from penstock.runtime.errors import Cancelled, Drained, LeaseLostError, Stop, Suspend
from penstock.runtime.final import Final
from penstock.runtime.interrupt import Interrupt
from penstock.runtime.journal import Ending, Fact, Finished, HandedOver, Suspended
from penstock.runtime.perform import Do, Plan, Step, adrive, drive, tries
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


def execute(runner: Runner, body: Task[..., Any], argument: Any) -> Result:
    """Execute a run's attempt in this thread.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    step = runner.step(None, "", body, (argument,), {})
    result: Result = drive(conduct(runner, step), lambda effect: runner.effect(step, effect))
    return result


async def aexecute(runner: Runner, body: Task[..., Any], argument: Any) -> Result:
    """Execute a run's attempt on the running loop; sync bodies in threads.

    Raises:
        LeaseLostError: another attempt owns the run.
    """
    loop = asyncio.get_running_loop()
    step = runner.step(None, "", body, (argument,), {})
    factory = TaskFactory.enter(loop)
    try:
        plan = conduct(runner, step)
        result: Result = await adrive(plan, lambda effect: runner.aeffect(step, effect))
    finally:
        factory.leave(loop)
    return result


def conduct(runner: Runner, step: Step) -> Plan:
    """Plan a run's attempt: the body, its unfinished steps, the stored end."""
    attempt = runner.attempt
    told = attempt.assignment
    attempt.say(
        "run.started", {"name": told.entrypoint, "input": step.args[0]}, text=_started(runner)
    )
    try:
        result = yield from _body(runner, step)
        ending = _ending(runner, result)
    except Exception as error:  # the result itself could not be encoded
        result = Result("failed", error=error)
        ending = _ending(runner, result)
    attempt.journal.close(ending)
    yield Do.STORE
    if isinstance(ending, (Finished, Suspended)):
        attempt.heard(ending.fact)
    return result


def _started(runner: Runner) -> str:
    told = runner.attempt.assignment
    return (
        runner.attempt.codec.dumps({"name": told.entrypoint})
        if runner.attempt.journal.stores
        else ""
    )


def _body(runner: Runner, step: Step) -> Plan:
    attempt = runner.attempt
    try:
        value = yield from tries(step)
        yield Do.CHILDREN
    except Suspend:
        yield Do.CHILDREN
    except Stop as stop:
        yield Do.CHILDREN
        return _stopped(stop)
    except asyncio.CancelledError as error:
        runner.cancel_tasks()
        if attempt.stopping is not None:
            return _stopped(attempt.stopping)
        return Result("failed", error=error)
    except LeaseLostError:
        raise
    except BaseException as error:
        if step.is_async:
            runner.cancel_tasks()
        yield Do.CHILDREN
        note = f"in entrypoint {step.name!r}, run {attempt.assignment.run_id!r}"
        error.add_note(note)
        return Result("failed", error=error)
    else:
        if not attempt.interrupts:
            return Result("completed", value=value)
    # Also when the body caught the Suspend and went on: what it asks has no answer yet.
    return Result("suspended", interrupts=tuple(attempt.interrupts.values()))


def _stopped(stop: Stop) -> Result:
    if isinstance(stop, Cancelled):
        return Result("cancelled")
    if isinstance(stop, Drained):
        return Result("handed over")
    raise LeaseLostError(str(stop)) from stop


def _ending(runner: Runner, result: Result) -> Ending:
    attempt = runner.attempt
    now = time.time()
    codec, stores = attempt.codec, attempt.journal.stores
    if result.status == "handed over":
        return HandedOver()
    if result.status == "suspended":
        asked = [{"value": item.value, "id": item.id} for item in result.interrupts]
        questions = (
            {item.id: codec.dumps(item.value) for item in result.interrupts} if stores else {}
        )
        return Suspended(Fact("run.interrupted", {"interrupts": asked}, (), now), questions)
    data: dict[str, Any] = {"name": attempt.assignment.entrypoint, "status": result.status}
    if result.status == "completed":
        value, save = Final.split(result.value)
        checkpoints = {}
        if stores:
            checkpoints["result"] = f'{{"value":{codec.dumps(value, "result of the run")}}}'
            checkpoints["saved"] = codec.dumps(save, "saved value of the run")
        fact = Fact("run.finished", data | {"outcome": {"value": value}}, (), now, "result")
        return Finished("completed", fact, checkpoints)
    if result.status == "cancelled":
        return Finished("cancelled", Fact("run.finished", data, (), now), reason="cancelled")
    assert result.error is not None
    fact = Fact("run.finished", data | {"outcome": {"error": result.error}}, (), now, "result")
    checkpoints = {}
    if stores:
        checkpoints["result"] = codec.dumps({"error": dump_error(result.error, codec)})
    return Finished(
        "failed", fact, checkpoints, attempt.reopened(result.error), _reason(result.error)
    )


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
