"""The values of the parameters that a run fills in."""

from __future__ import annotations

__all__ = ["config_of", "injected", "runtime_of"]

from typing import Any

from penstock.runtime.engine.step import Scope, Step
from penstock.runtime.engine.writer import writer_of
from penstock.runtime.types.runtime import ExecutionInfo, Runtime


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
    assignment = scope.step.assignment
    if name == "config":
        return config_of(scope)
    if name == "writer":
        return writer_of(scope)
    if name == "store":
        return assignment.store
    if name == "previous":
        return assignment.previous
    return runtime_of(scope)


def config_of(scope: Scope) -> dict[str, Any]:
    """Return the config of a run as its code sees it: the caller's, with thread and run named."""
    assignment = scope.step.assignment
    configurable = dict(assignment.config.get("configurable", {}))
    configurable |= {"thread_id": assignment.thread_id, "run_id": assignment.run_id}
    return {**assignment.config, "configurable": configurable}


def runtime_of(scope: Scope) -> Runtime[Any]:
    """Return what a run offers to the code of a scope."""
    step = scope.step
    assignment = step.assignment
    return Runtime(
        context=assignment.context,
        store=assignment.store,
        stream_writer=writer_of(scope),
        previous=assignment.previous,
        execution_info=ExecutionInfo(
            checkpoint_id=str(assignment.position.number) if assignment.position else "",
            run_id=assignment.run_id,
            thread_id=assignment.thread_id,
            step_id=scope.step_id,
            attempt=assignment.number,
            step_attempt=step.tries,
            node_first_attempt_time=step.began,
            checkpoint_ns="|".join(part for part in scope.namespace if part[0] == "^"),
        ),
        heartbeat=lambda: _beat(scope),
        control=scope.attempt.control,
    )


def _beat(scope: Scope) -> None:
    scope.check()
    if scope.step.deadline is not None:
        scope.step.deadline.touch(heartbeat=True)
