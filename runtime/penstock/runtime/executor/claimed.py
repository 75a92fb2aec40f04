"""The work of a claimed run: to execute an entrypoint, or a step for another run."""

from __future__ import annotations

__all__ = ["Assigned", "assigned"]

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import ConfigurationError
from penstock.runtime.engine.function.step_function import StepFunction, failing
from penstock.runtime.engine.runner import Runner
from penstock.runtime.engine.step import Step
from penstock.runtime.executor.app import App
from penstock.runtime.executor.hosted import Hosted
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.graph_host import GraphHost
from penstock.runtime.journal.position import Position
from penstock.runtime.journal.remote_call import arguments_of
from penstock.runtime.journal.run_input import accepted, context_of, given_of
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.replies import Claim
from penstock.runtime.types.breakpoints import check_no_breakpoints
from penstock.runtime.types.cache import CachedCall


@dataclass(frozen=True, slots=True)
class Assigned:
    """A body to execute, its assignment and its argument."""

    assignment: Assignment
    body: StepFunction | Hosted
    args: tuple[Any, ...] = (None,)
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    arguments: str | None = None
    digest: str = ""
    cached: CachedCall | None = None
    kept: Mapping[str, str] = field(default_factory=dict[str, str])
    """Checkpoints that say how what the run was given was read."""

    def step(self, runner: Runner) -> Step:
        """Return the step that an attempt begins with."""
        step_id, kwargs = self.assignment.step_id, dict(self.kwargs)
        body: Any = self.body  # a field, which type checkers take for a method
        step = Step(runner, None, step_id, body, self.args, kwargs, self.digest, self.arguments)
        step.cached = self.cached
        return step


def assigned(claim: Claim, app: App, codec: Codec) -> Assigned:
    """Read the work of a claimed run; `codec` is that of its Redis.

    If it cannot be read, or its code is missing, the body fails: so the error is recorded like any
    other.
    """
    fields = claim.fields
    bare = Assignment(
        fields.get("home", claim.lease.run_id),
        fields["thread"],
        fields["entrypoint"],
        step_id=fields.get("home_step", ""),
    )
    assignment = bare
    try:
        assignment = _assignment(claim, bare, app, codec)
        if bare.step_id:
            return _remote(claim, assignment, app, codec)
        return _run(claim, assignment, app, codec)
    except BaseException as error:  # of any code: a validator, a key_func, a codec
        return Assigned(assignment, failing(fields.get("task", bare.entrypoint), error))


def _run(claim: Claim, assignment: Assignment, app: App, codec: Codec) -> Assigned:
    entrypoint, own = app.entrypoint(assignment.entrypoint), codec.at("run", assignment.run_id)
    given, kept = accepted(entrypoint, given_of(claim.checkpoints, own), own)
    # What is recorded stays as it is, also where this process has a class under another name.
    kept = {name: text for name, text in kept.items() if name not in claim.checkpoints}
    assignment = dataclasses.replace(assignment, context=given.context)
    args = (given.argument,)
    if isinstance(entrypoint, Hosted):  # it keeps what its threads have itself
        if claim.saved:
            raise ConfigurationError(
                f"thread {assignment.thread_id!r} holds the state of an entrypoint: use another "
                f"thread_id for the graph {entrypoint.name!r}."
            )
        assignment = dataclasses.replace(assignment, position=None)
        return Assigned(assignment, entrypoint, args, kept=kept)
    if hosted := claim.fields.get("hosted"):
        raise ConfigurationError(
            f"thread {assignment.thread_id!r} holds the state of the graph "
            f"{GraphHost.parse(hosted).entrypoint!r}: use another thread_id for entrypoint "
            f"{entrypoint.name!r}."
        )
    check_no_breakpoints(entrypoint.name, assignment.config)
    cached = entrypoint.body.cached_call(assignment.cache, codec, args, {})
    return Assigned(assignment, entrypoint.body, args, cached=cached, kept=kept)


def _remote(claim: Claim, assignment: Assignment, app: App, codec: Codec) -> Assigned:
    task, text = app.task(claim.fields["task"]), claim.checkpoints["input"]
    own = codec.at("run", assignment.run_id)
    args, kwargs = arguments_of(own, assignment.step_id, text)
    arguments = own.at("remote", assignment.step_id).opened(text)
    entrypoint, context = (
        app.entrypoints.get(assignment.entrypoint),
        context_of(claim.checkpoints, own),
    )
    if entrypoint is not None:  # for one that has no stored form
        context = entrypoint.accept_context(context)
    assignment = dataclasses.replace(assignment, context=context)
    cached = task.cached_call(assignment.cache, codec, args, kwargs)
    return Assigned(assignment, task, args, kwargs, arguments, claim.fields["digest"], cached)


def _assignment(claim: Claim, bare: Assignment, app: App, codec: Codec) -> Assignment:
    fields, own = claim.fields, codec.at("run", bare.run_id)
    entrypoint, config = app.entrypoints.get(bare.entrypoint), fields.get("config")
    kept = Kept(codec, bare.thread_id)
    values = kept.text(claim.saved, claim.value)
    return dataclasses.replace(
        bare,
        number=int(fields["attempt"]),
        config=own.at("config").loads(config) if config else {},
        previous=kept.saved(claim.saved),
        store=entrypoint.store if entrypoint is not None else None,
        cache=entrypoint.cache if entrypoint is not None else None,
        position=Position.of(fields, claim.checkpoints, kept, values),
    )
