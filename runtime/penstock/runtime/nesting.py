"""Entrypoints called inside a run: each is a step of the run, with its own steps below it."""

from __future__ import annotations

__all__ = ["ainvoke_nested", "invoke_nested", "nested"]

import dataclasses
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from penstock.runtime.attempt import Assignment
from penstock.runtime.checkpoint import replay_step
from penstock.runtime.config import merged
from penstock.runtime.errors import ConfigurationError, EmptyInputError, ResumeError
from penstock.runtime.final import Final
from penstock.runtime.future import Sight
from penstock.runtime.interrupt import Command
from penstock.runtime.options import Options
from penstock.runtime.outcome import Outcome
from penstock.runtime.output import GraphOutput
from penstock.runtime.perform import Step, perform
from penstock.runtime.plan import afollow, follow
from penstock.runtime.scope import current, current_branch

if TYPE_CHECKING:
    from penstock.runtime.entrypoint import Entrypoint

_CHECKPOINT = ("checkpoint_ns", "checkpoint_id", "checkpoint_map")


def nested(config: Mapping[str, Any]) -> bool:
    """Tell whether a call belongs to the run it is made in: yes, unless it names another thread.

    A config handed on from the run itself names the run's own thread, and so changes nothing.
    """
    branch = current.get(None)
    if branch is None:
        return False
    configurable: Mapping[str, Any] = config.get("configurable", {})
    if any(key in configurable for key in _CHECKPOINT):
        return False
    own = branch.scope.step.assignment.thread_id
    return str(configurable.get("thread_id", own)) == own


def invoke_nested(child: Entrypoint[Any, Any], argument: Any, options: Options) -> Any:
    """Run an entrypoint as a step of the current run, in this thread.

    Raises:
        ThreadBusyError: it keeps a state, and another call of it is at work in this run.
    """
    step, outcome = _step(child, argument, options)
    if step is None:
        return _given(options, outcome.get())
    runner = step.runner
    with _turn(child, step):
        if step.timeout is not None:
            value = runner.watched(step)
        else:
            value = follow(perform(step), lambda effect: runner.effect(step, effect))
        return _given(options, _kept(step, value))


async def ainvoke_nested(child: Entrypoint[Any, Any], argument: Any, options: Options) -> Any:
    """Run an entrypoint as a step of the current run, on the running loop."""
    step, outcome = _step(child, argument, options)
    if step is None:
        return _given(options, outcome.get())
    runner = step.runner
    with _turn(child, step):
        value = await afollow(perform(step), lambda effect: runner.aeffect(step, effect))
        return _given(options, _kept(step, value))


def _step(
    child: Entrypoint[Any, Any], argument: Any, options: Options
) -> tuple[Step | None, Outcome]:
    """Make the step that a call is, or find its outcome."""
    _check(child, argument, options)
    branch = current_branch(f"entrypoint {child.name!r}")
    scope = branch.scope
    runner, attempt = scope.step.runner, scope.attempt
    attempt.check(scope)
    scope.advance()
    sight = Sight(scope)
    sight.look()
    digest, text = attempt.replay.digest((argument,), {})
    step_id = branch.identify(f"^{child.body.label}", digest, None)
    is_recorded = scope.step.is_recorded and child.declared.checkpointer is not False
    if is_recorded:
        outcome = attempt.replay.recall(branch, step_id, child.name, digest, "raise")
        if outcome is not None:
            replay_step(attempt, step_id, (argument,), {})
            _recalled(child, step_id, outcome, sight)
            return None, outcome
    step = Step(runner, scope, step_id, child.body, (argument,), {}, digest, text)
    step.sight = sight
    step.is_recorded = is_recorded
    step.keeps_state = child.declared.checkpointer is True
    step.assignment = _assigned(child, step.assignment, options)
    step.cached = child.body.cached_call(
        step.assignment.cache, attempt.shared_codec, (argument,), {}
    )
    return step, Outcome()


def _recalled(child: Entrypoint[Any, Any], step_id: str, outcome: Outcome, sight: Sight) -> None:
    attempt = sight.caller.attempt
    if outcome.error is not None:
        attempt.failures.add(step_id, outcome.error, sight)
    elif child.declared.checkpointer is True:
        attempt.children.save(child.name, outcome.saved)


def _check(child: Entrypoint[Any, Any], argument: Any, options: Options) -> None:
    if argument is None:
        raise EmptyInputError(f"nested entrypoint {child.name!r} was called with None as input.")
    if isinstance(argument, Command):
        raise ResumeError(
            f"nested entrypoint {child.name!r} belongs to the run that calls it: answer that run."
        )
    if options.stream_mode not in (None, "values"):
        raise ConfigurationError(
            f"nested entrypoint {child.name!r} gives its value: to see more of it, follow the "
            "run that calls it, with subgraphs=True."
        )


def _assigned(child: Entrypoint[Any, Any], outer: Assignment, options: Options) -> Assignment:
    """Return what a child is to do: as its parent, but for what is its own."""
    given = child.accept_context(options.context)
    return dataclasses.replace(
        outer,
        config=merged(outer.config, options.config),
        previous=None,
        context=outer.context if given is None else given,
        store=outer.store if child.store is None else child.store,
        cache=outer.cache if child.cache is None else child.cache,
    )


@contextmanager
def _turn(child: Entrypoint[Any, Any], step: Step) -> Generator[None]:
    """Let a child that keeps a state have it for as long as the call takes."""
    if not step.keeps_state:
        yield
        return
    with step.attempt.children.turn(child.name) as previous:
        step.assignment = dataclasses.replace(step.assignment, previous=previous)
        yield


def _kept(step: Step, returned: Any) -> Any:
    value, save = Final.split(returned)
    if step.keeps_state:
        step.attempt.children.save(step.name, save)
    return value


def _given(options: Options, value: Any) -> Any:
    return GraphOutput(value) if options.version == "v2" else value
