"""Calling the user's function of a step, inside its scope."""

from __future__ import annotations

__all__ = ["acall", "call", "timed"]

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import CoroutineType
from typing import Any

from penstock.runtime.engine.injection import injected
from penstock.runtime.engine.step import Step, current
from penstock.runtime.engine.unawaited import Unawaited, finished, returned
from penstock.runtime.engine.waiting.parking import begin
from penstock.runtime.errors import StepCancelledError
from penstock.runtime.types.timeout import Deadline


def call(step: Step) -> Any:
    """Call a sync function; in the step's own context."""
    branch = step.scope.branch()
    branch.owner = threading.get_ident()
    token = current.set(branch)
    try:
        return returned(
            step,
            branch,
            step.function(*step.args, **(injected(step) if step.injects else step.kwargs)),
        )
    except (asyncio.CancelledError, StopIteration, GeneratorExit) as error:
        raise _own_doing(step, error) from error
    except (SystemExit, KeyboardInterrupt) as error:
        if threading.current_thread() is threading.main_thread():
            raise  # the user's own, by Ctrl-C
        raise _own_doing(step, error) from error
    finally:
        current.reset(token)


async def acall(step: Step, rest: Unawaited | None = None) -> Any:
    """Call an async function, or await what a sync one returned, in the running asyncio task."""
    branch = step.scope.branch() if rest is None else rest.branch
    task = branch.owner = step.task if step.task is not None else asyncio.current_task()
    token = current.set(branch)
    try:
        awaited: Any = (
            rest.awaitable
            if rest is not None
            else step.function(*step.args, **(injected(step) if step.injects else step.kwargs))
        )
        kind: Any = awaited.__class__
        # Most are of the first class, which needs no closer look.
        if kind is not CoroutineType and not issubclass(kind, Coroutine):
            awaited = _awaited(awaited)
        value, body = begin(awaited, branch.scope)
        if body is not None:
            body.task = task
            value = await body
        return finished(step, value)
    except asyncio.CancelledError as error:
        run_ends = step.attempt.is_ending or step.runner.running_steps.has_cancelled
        if task is not None and task.cancelling() == 0 and not run_ends:
            raise _own_doing(step, error) from error
        raise
    except GeneratorExit as error:
        if task is not None and task is _running_task():
            raise _own_doing(step, error) from error
        raise  # the coroutine is closed, from wherever its loop has dropped it
    except (SystemExit, KeyboardInterrupt) as error:
        raise _own_doing(step, error) from error
    finally:
        current.reset(token)


async def _awaited(awaited: Awaitable[Any]) -> Any:
    return await awaited


async def timed(step: Step, body: Callable[[Step], Awaitable[Any]]) -> Any:
    """Run a body within the step's time, which it must have.

    A sync one runs on in its thread when the time is over; what it still does is refused.

    Raises:
        StepTimeoutError: the time was over.
    """
    assert step.timeout is not None
    deadline = step.deadline = Deadline(step.timeout, step.name)
    deadline.start()
    try:
        return await body(step)
    finally:
        deadline.finish()


def _running_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None  # no loop runs here


def _own_doing(step: Step, error: BaseException) -> RuntimeError:
    """Say that the function raised what would otherwise stop more than itself."""
    said = f": {error}" if str(error) else ""
    says = f"{step.name!r} raised {type(error).__name__} itself{said}"
    return (
        StepCancelledError(says)
        if isinstance(error, asyncio.CancelledError)
        else RuntimeError(says)
    )
