"""Entrypoints called inside a run: each is a step of the run, with its own steps below it."""

from __future__ import annotations

__all__ = ["ainvoke_nested", "invoke_nested", "nested"]

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from penstock.runtime.final import Final
from penstock.runtime.perform import Step, perform
from penstock.runtime.plan import afollow, follow
from penstock.runtime.scope import current, current_branch

if TYPE_CHECKING:
    from penstock.runtime.entrypoint import Entrypoint

_OWN_RUN = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")


def nested(config: Mapping[str, Any] | None) -> bool:
    """Tell whether a call belongs to the run it is made in: yes, unless it names a thread."""
    if current.get(None) is None:
        return False
    configurable = (config or {}).get("configurable", {})
    return not any(key in configurable for key in _OWN_RUN)


def invoke_nested(child: Entrypoint[Any, Any], argument: Any) -> Any:
    """Run an entrypoint as a step of the current run, in this thread."""
    step, outcome = _step(child, argument)
    if step is None:
        return outcome
    runner = step.runner
    return Final.split(follow(perform(step), lambda effect: runner.effect(step, effect)))[0]


async def ainvoke_nested(child: Entrypoint[Any, Any], argument: Any) -> Any:
    """Run an entrypoint as a step of the current run, on the running loop."""
    step, outcome = _step(child, argument)
    if step is None:
        return outcome
    runner = step.runner
    value = await afollow(perform(step), lambda effect: runner.aeffect(step, effect))
    return Final.split(value)[0]


def _step(child: Entrypoint[Any, Any], argument: Any) -> tuple[Step | None, Any]:
    branch = current_branch(f"entrypoint {child.name!r}")
    runner = branch.scope.step.runner
    runner.attempt.check(branch.scope)
    branch.scope.advance()
    name = f"^{child.body.label}"
    digest, text = runner.attempt.replay.digest((argument,), {})
    step_id = branch.identify(name, digest, None)
    outcome = runner.attempt.replay.recall(branch, step_id, child.name, digest, "raise")
    if outcome is not None:
        return None, Final.split(outcome.get())[0]
    return Step(runner, branch.scope, step_id, child.body, (argument,), {}, digest, text), None
