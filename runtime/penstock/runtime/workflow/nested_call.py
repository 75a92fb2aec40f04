"""Entrypoints called inside a run: each is a step of the run, with its own steps below it."""

from __future__ import annotations

__all__ = ["NestedCall", "ainvoke_nested", "call_nested", "invoke_nested", "nested"]

import asyncio
import dataclasses
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from penstock.publisher.errors import CodecError
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.function.step_function import StepFunction, failing
from penstock.runtime.engine.on_loop import aperform
from penstock.runtime.engine.recall import cancel_mark, recalled, stamped
from penstock.runtime.engine.recording import replay_step
from penstock.runtime.engine.step import Scope, Step, current, current_branch
from penstock.runtime.engine.unawaited import reject_unawaited
from penstock.runtime.engine.waiting.future import OutcomeUse
from penstock.runtime.engine.waiting.order import Order
from penstock.runtime.engine.waiting.parking import muted
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.engine.waiting.stamp import Stamp
from penstock.runtime.errors import EmptyInputError, ResumeError
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.outcome import Outcome
from penstock.runtime.types.call_options import Options
from penstock.runtime.types.config import merged
from penstock.runtime.types.final import Final
from penstock.runtime.types.interrupt import Command
from penstock.runtime.types.output import GraphOutput
from penstock.runtime.workflow.definition import Definition

ACCEPTED = "!^"
"""First characters of the checkpoints that hold the inputs of nested entrypoints, as validated."""

_CHECKPOINT = ("checkpoint_ns", "checkpoint_id", "checkpoint_map")


def nested(config: Mapping[str, Any]) -> bool:
    """Return whether a call belongs to the run it is made in: yes, unless it names another thread.

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


def invoke_nested(child: Definition, argument: Any, options: Options) -> Any:
    """Run an entrypoint as a step of the current run, in this thread.

    Raises:
        ThreadBusyError: it keeps a state, and this run already executes another call of it.
    """
    return _given(options, call_nested(child, argument, options).perform())


async def ainvoke_nested(child: Definition, argument: Any, options: Options) -> Any:
    """Run an entrypoint as a step of the current run, on the running loop."""
    return _given(options, await call_nested(child, argument, options).aperform())


def call_nested(child: Definition, argument: Any, options: Options) -> NestedCall:
    """Settle which step of the current run a call is."""
    _check(child, argument)
    reject_unawaited(argument, f"the input of entrypoint {child.name!r}")
    branch = current_branch(f"entrypoint {child.name!r}")
    scope = branch.scope
    runner, attempt = scope.step.runner, scope.attempt
    scope.go_on()
    digest, text = attempt.replay.digest((argument,), {})
    step_id = branch.identify(f"^{child.body.label}", digest, None)
    records = scope.step.is_recorded and child.declared.checkpointer is not False
    recorded, body, given = None, child.body, argument
    if records:
        scope.asked(step_id)
        recorded = attempt.replay.recall(branch, step_id, child.name, digest, "raise")
    if recorded is None:
        body, given = _accepted(child, argument, attempt, step_id, records)
    step = Step(runner, scope, step_id, body, (given,), {}, digest, text)
    step.is_recorded = records
    step.keeps_state = child.declared.checkpointer is True
    step.assignment = _assigned(child, step.assignment, options)
    step.use = use = OutcomeUse(scope)
    if recorded is None and body is child.body:
        step.cached = child.body.cached_call(
            step.assignment.cache, attempt.shared_codec, (given,), {}
        )
    return NestedCall(step, use, recorded)


@dataclass(frozen=True, slots=True)
class NestedCall:
    """One call of an entrypoint inside a run: its step, and the outcome if it is recorded."""

    step: Step
    use: OutcomeUse
    recorded: Outcome | None

    def perform(self) -> Any:
        """Execute the step in this thread, and return its value, or its recorded one."""
        self._begin()
        if self.recorded is not None:
            return self.recorded.get()
        step = self.step
        with self._turn():
            return self._kept(
                step.runner.perform(step) if step.timeout is None else step.runner.watched(step)
            )

    async def aperform(self) -> Any:
        """As `perform`, on the running loop."""
        self._begin()
        step = self.step
        caller = step.parent
        assert caller is not None
        order = step.runner.orders.of(caller)
        if self.recorded is not None:
            if order is None:
                return self.recorded.get()
            place = stamped(step.attempt, order, step.id, self.recorded)
            return await recalled(self.use, self.recorded, step.runner.loop, place)
        if order is None:
            with self._turn(), muted():
                return self._kept(await aperform(step))
        place = self._enter(order, caller)
        with self._turn(), muted(), place.watching(asyncio.current_task()):
            return self._kept(await aperform(step))

    def _enter(self, order: Order, caller: Scope) -> Place:
        """Give the step its place: that on the record, if it was cancelled before."""
        step = self.step
        mark = cancel_mark(caller, step.id) if step.is_recorded else None
        if mark is None or not mark.stamp:
            return step.runner.orders.enter(order, step, "entrypoint")
        step.place = place = order.begin(step.id)
        place.expect(Stamp.read(mark.stamp))
        return place

    def _begin(self) -> None:
        step, attempt, caller = self.step, self.step.attempt, self.step.parent
        assert caller is not None
        caller.check()
        if caller.is_abandoned:
            raise RuntimeError(
                f"a stream of entrypoint {step.name!r} is read that a try made which has failed: "
                "make a new one in each try."
            )
        self.use.note_request()
        if self.recorded is None:
            return
        replay_step(attempt, step.id, step.args, {})
        if self.recorded.error is not None:
            attempt.failures.add(step.id, self.recorded.error, self.use)
        elif step.keeps_state:
            attempt.children.save(step.name, self.recorded.saved)

    @contextmanager
    def _turn(self) -> Generator[None]:
        """Let a child that keeps a state have it for as long as the call takes."""
        step = self.step
        if not step.keeps_state:
            yield
            return
        with step.attempt.children.turn(step.name) as previous:
            step.assignment = dataclasses.replace(step.assignment, previous=previous)
            yield

    def _kept(self, returned: Any) -> Any:
        value, save = Final.split(returned)
        if self.step.keeps_state:
            self.step.attempt.children.save(self.step.name, save)
        return value


def _check(child: Definition, argument: Any) -> None:
    if argument is None:
        raise EmptyInputError(f"nested entrypoint {child.name!r} was called with None as input.")
    if isinstance(argument, Command):
        raise ResumeError(
            f"nested entrypoint {child.name!r} belongs to the run that calls it: answer that run."
        )


def _accepted(
    child: Definition, argument: Any, attempt: Attempt, step_id: str, records: bool
) -> tuple[StepFunction, Any]:
    """Return the body of a child and its input, validated once for all attempts.

    An input that is refused is the outcome of the step, as an error of its body is.
    """
    name, codec = f"{ACCEPTED}{step_id}", attempt.codec.at("nested", step_id)
    kept = attempt.journal.recorded(name) if records else None
    try:
        if kept is not None:
            return child.body, codec.loads(kept)
        given = child.accept(argument)
    except Exception as error:
        return failing(child.name, error), argument
    if records and child.converts(None) and attempt.journal.stores:
        with suppress(CodecError):  # as there is none of the argument, either
            attempt.journal.keep(name, codec.dumps(given))
    return child.body, given


def _assigned(child: Definition, outer: Assignment, options: Options) -> Assignment:
    """Return the assignment of a child: its parent's, except for the child's own options."""
    given = child.accept_context(options.context)
    return dataclasses.replace(
        outer,
        config=merged(outer.config, options.config),
        previous=None,
        context=outer.context if given is None else given,
        store=outer.store if child.store is None else child.store,
        cache=outer.cache if child.cache is None else child.cache,
    )


def _given(options: Options, value: Any) -> Any:
    return GraphOutput(value) if options.version == "v2" else value
