"""Parameters that a run fills in: `config`, `writer`, `store`, `previous`, `runtime`."""

from __future__ import annotations

__all__ = ["ExecutionInfo", "Runtime", "injectable", "injected", "runtime_of"]

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.runtime.writer import StreamWriter, writer_of

if TYPE_CHECKING:
    from penstock.runtime.perform import Step
    from penstock.runtime.scope import Scope

_NAMES = ("config", "writer", "store", "previous", "runtime")

_REFUSED = {
    "config": (dict, "dict"),
    "store": (dict, "dict", str, int),
    "writer": (str, "str", int),
}


@dataclass(frozen=True, slots=True)
class ExecutionInfo:
    """Where the calling code stands."""

    run_id: str
    thread_id: str
    step_id: str
    attempt: int
    """Tries of the run, counted from 1; more than 1 after a crash."""
    step_attempt: int
    """Tries of this step within its retry policy, counted from 1."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a run offers to its code."""

    context: Any
    store: Any
    stream_writer: StreamWriter
    previous: Any
    execution_info: ExecutionInfo
    heartbeat: Callable[[], None]
    """Tells that the calling step is alive, for its idle timeout."""

    @property
    def step_id(self) -> str:
        """Idempotency key of the current step: the same whenever this step is executed again."""
        return f"{self.execution_info.run_id}/{self.execution_info.step_id}"


def injectable(function: Callable[..., Any]) -> tuple[tuple[str, int], ...]:
    """Return name and position of the parameters that a run fills in; -1 if keyword-only."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    found: list[tuple[str, int]] = []
    for position, parameter in enumerate(parameters):
        if parameter.name not in _NAMES or parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        if parameter.annotation not in _REFUSED.get(parameter.name, ()):
            keyword_only = parameter.kind is parameter.KEYWORD_ONLY
            found.append((parameter.name, -1 if keyword_only else position))
    return tuple(found)


def injected(step: Step) -> dict[str, Any]:
    """Return a step's keyword arguments with those filled in that the caller did not give."""
    if not step.injects:
        return step.kwargs
    given = len(step.args)
    missing = {
        name: _value(name, step.scope)
        for name, position in step.injects
        if name not in step.kwargs and not 0 <= position < given
    }
    return step.kwargs | missing


def _value(name: str, scope: Scope) -> Any:
    assignment = scope.attempt.assignment
    if name == "config":
        return config_of(scope)
    if name == "writer":
        return writer_of(scope)
    if name == "store":
        return assignment.store
    if name == "previous":
        return previous_of(scope)
    return runtime_of(scope)


def config_of(scope: Scope) -> dict[str, Any]:
    """Return the config of a run as its code sees it: the caller's, with thread and run named."""
    assignment = scope.attempt.assignment
    configurable = dict(assignment.config.get("configurable", {}))
    configurable |= {"thread_id": assignment.thread_id, "run_id": assignment.run_id}
    return {**assignment.config, "configurable": configurable}


def previous_of(scope: Scope) -> Any:
    """Return what the thread's last run saved; inside a nested entrypoint None, as it has none."""
    nested = any(part[0] == "^" for part in scope.namespace)
    return None if nested else scope.attempt.assignment.previous


def runtime_of(scope: Scope) -> Runtime:
    """Return what a run offers to the code of a scope."""
    assignment = scope.attempt.assignment
    return Runtime(
        context=assignment.context,
        store=assignment.store,
        stream_writer=writer_of(scope),
        previous=previous_of(scope),
        execution_info=ExecutionInfo(
            run_id=assignment.run_id,
            thread_id=assignment.thread_id,
            step_id=scope.step_id,
            attempt=assignment.number,
            step_attempt=scope.step.tries,
        ),
        heartbeat=lambda: _beat(scope),
    )


def _beat(scope: Scope) -> None:
    scope.attempt.check(scope)
    if scope.step.deadline is not None:
        scope.step.deadline.touch(heartbeat=True)
