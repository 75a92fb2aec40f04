"""Awaitables in the place of values: awaited if a sync function returns one, else refused."""

from __future__ import annotations

__all__ = [
    "Unawaited",
    "finished",
    "reject_unawaited",
    "reject_unawaited_arguments",
    "returned",
    "waiting",
]

import asyncio
import concurrent.futures
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from penstock.publisher.codec.refusal import Refusal, unawaited
from penstock.runtime.engine.step import Branch, Step
from penstock.runtime.engine.waiting.future import LoopFuture, OutcomeUse, StepFuture, StepTask
from penstock.runtime.types.final import Final as FinalValue

_OF_STEPS: Final = (StepFuture, LoopFuture, StepTask)

_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
"""Types of the most values, which need no closer look."""

MOST_LOOKED_AT: Final = 100
"""Elements of an argument among which a forgotten future is looked for."""


@dataclass(frozen=True, slots=True)
class Unawaited:
    """What a sync function returned in place of its value, as wrappers of async functions do."""

    branch: Branch
    awaitable: Awaitable[Any]


def returned(step: Step, branch: Branch, value: Any) -> Any:
    """Return what a sync function returned; as an `Unawaited`, if that is to be awaited.

    Raises:
        CodecError: it is the future of a step, which the function has forgotten to ask.
        RuntimeError: the run has no loop to await it on.
    """
    if type(value) in _PLAIN:
        return value
    if _is_of_step(value) or not _is_awaited(value):
        return finished(step, value)
    if step.runner.loop is None:
        _close(value)
        raise RuntimeError(
            f"{step.name!r} returned a {type(value).__name__}, and the run is not async: "
            "use ainvoke or astream, or enqueue the run to a worker."
        )
    step.is_async = True  # what it does from here on, it does on the loop
    return Unawaited(branch, value)


def finished(step: Step, value: Any) -> Any:
    """Return what a function returned that is to be the value of its step.

    Raises:
        CodecError: it is still to come.
    """
    if type(value) not in _PLAIN:
        for part in FinalValue.split(value):
            reject_unawaited(part, _result(step))
    return value


def waiting(step: Step, value: Any, acall: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
    """Return what a sync function returned, in its thread: await on the loop what is to be."""
    if not isinstance(value, Unawaited):
        return value
    runner, loop = step.runner, step.runner.loop
    assert loop is not None
    use = OutcomeUse(step.scope, step.id)

    def launch() -> StepTask[Any]:
        body = acall(step, value)
        task: StepTask[Any] = StepTask(body, use=use, loop=loop, context=step.context)
        runner.running_steps.watch_task(step.id, task)
        return task

    try:
        return runner.from_thread(step, use, launch).result()
    except concurrent.futures.CancelledError:
        raise step.attempt.stopping or asyncio.CancelledError from None


def reject_unawaited(value: Any, what: str) -> None:
    """Refuse a future or a coroutine where its value is meant.

    Raises:
        CodecError: it is one; says how to get the value.
    """
    if type(value) not in _PLAIN and _is_forgotten(value):
        _close(value)
        raise Refusal(unawaited(value), value).error(what)


def reject_unawaited_arguments(
    step_id: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, deeper: bool
) -> None:
    """Refuse futures and coroutines among the arguments of a call; `deeper`, also in containers.

    Raises:
        CodecError: there is one; says how to get the value.
    """
    for value in (*args, *kwargs.values()) if kwargs else args:
        if type(value) in _PLAIN:
            continue
        for element in (value, *islice(_elements(value), MOST_LOOKED_AT)) if deeper else (value,):
            reject_unawaited(element, f"arguments of step {step_id!r}")


def _is_of_step(value: object) -> bool:
    return isinstance(value, _OF_STEPS)


def _is_awaited(value: object) -> bool:
    return isinstance(value, (Coroutine, asyncio.Future))


def _is_forgotten(value: object) -> bool:
    return isinstance(value, _OF_STEPS) or inspect.iscoroutine(value)


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[object, object]", value).values()
    return cast("Iterable[object]", value) if isinstance(value, (list, tuple, set)) else ()


def _result(step: Step) -> str:
    return f"result of step {step.id!r}" if step.id else "result of the run"


def _close(value: Any) -> None:
    if inspect.iscoroutine(value):
        value.close()  # it is spoken of: no warning besides
