"""What happens to a body from start to outcome, as a plan without IO."""

from __future__ import annotations

__all__ = [
    "Do", "Effect", "Keep", "Park", "Pause", "Plan", "Step", "call_of", "perform", "tries",
    "ungroup",
]  # fmt: skip

import asyncio
import enum
import time
from collections.abc import Generator, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from penstock.runtime.checkpoint import (
    fail_step,
    finish_step,
    give_up_step,
    retry_step,
    start_step,
)
from penstock.runtime.errors import LeaseLostError, Stop, Suspend
from penstock.runtime.lineage import caller
from penstock.runtime.order import Place
from penstock.runtime.outcome import Outcome
from penstock.runtime.remote import RemoteCall, lost
from penstock.runtime.retry import delay_after
from penstock.runtime.scope import Scope
from penstock.runtime.timers import retry_timer
from penstock.runtime.waits import Wait

if TYPE_CHECKING:
    from penstock.runtime.attempt import Assignment, Attempt
    from penstock.runtime.cache import CachedCall
    from penstock.runtime.future import Sight
    from penstock.runtime.runner import Runner
    from penstock.runtime.task import Task
    from penstock.runtime.timeout import Deadline


class Do(enum.Enum):
    """What a plan can ask for, besides a wait."""

    BODY = enum.auto()
    """Run the function; the answer is its value."""
    STORE = enum.auto()
    """Come back when everything said so far is stored."""
    SEND = enum.auto()
    """Have the step performed by workers of its queue; the answer is `Journal.send`'s."""
    FIND = enum.auto()
    """Look for the value in the cache; the answer is a tuple with it, or None."""
    UNFINISHED = enum.auto()
    """Look what earlier attempts left unfinished; the answer is `Journal.unfinished`."""
    CHILDREN = enum.auto()
    """Come back when no step of the run is running."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask for a pause, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Park:
    """Ask to wait for what `away` names, on the loop; a thread leaves the process by raising it.

    The answer is what it waits for: an outcome, or None where `seconds` are over.
    """

    away: Suspend
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Ask to keep a value in the cache."""

    value: Any


Effect: TypeAlias = Do | Pause | Park | Keep
Plan: TypeAlias = Generator[Effect, Any, Any]


class Step:
    """One call of a task, while it is performed."""

    __slots__ = (
        "args", "arguments", "assignment", "attempt", "began", "cached", "caller", "children",
        "context", "counted", "deadline", "digest", "ended", "function", "gate", "id", "injects",
        "is_async", "is_recorded", "keeps_state", "kwargs", "name", "parent", "place", "policies",
        "queue", "runner", "scope", "sight", "task", "timeout", "tries",
    )  # fmt: skip

    def __init__(
        self,
        runner: Runner,
        parent: Scope | None,
        step_id: str,
        task: Task[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        digest: str = "",
        arguments: str | None = None,
    ) -> None:
        self.runner = runner
        self.attempt: Attempt = runner.attempt
        self.parent = parent
        self.assignment: Assignment = (
            parent.step.assignment if parent is not None else runner.attempt.assignment
        )
        self.is_recorded: bool = parent is None or parent.step.is_recorded
        self.keeps_state = False
        self.queue = ""
        self.id: str = step_id
        self.name = task.name
        self.function = task.function
        self.is_async = task.is_async
        self.policies = task.policies
        self.timeout = task.timeout
        self.injects = task.injects
        self.args = args
        self.kwargs = kwargs
        self.digest = digest
        self.arguments = arguments
        self.context = copy_context()
        self.cached: CachedCall | None = None
        self.deadline: Deadline | None = None
        self.sight: Sight | None = None
        self.place: Place | None = None
        self.task: asyncio.Task[Any] | None = None
        """Its own asyncio task, if it has one."""
        self.gate: asyncio.Future[None] | None = None
        """What it waits for before it begins, where a replay is under way."""
        self.tries = 1
        self.began = time.time()
        self.caller: Step | None = parent.step.seated() if parent is not None else None
        self.children = 0
        self.counted = False
        self.ended = False
        self.scope = Scope(self)

    @property
    def called_in(self) -> tuple[str, ...]:
        """The path of the step that made the call, () where the entrypoint's body did."""
        return self.parent.namespace if self.parent is not None else caller(self.id)

    def seated(self) -> Step | None:
        """Return the step that runs this one's code: itself, but for entrypoints called in line."""
        return self.caller if self.id.rpartition("/")[2][:1] in ("^", "") else self


def perform(step: Step) -> Plan:
    """Plan a step: its tries, then its recorded outcome; or who performs it, if it is another's."""
    try:
        return (yield from (_sent(step) if step.queue else _performed(step)))
    finally:
        step.attempt.words.end(step.id)
        del step.scope  # which refers to the step: without the circle both go at once


def _performed(step: Step) -> Plan:
    attempt = step.attempt
    start_step(step)
    try:
        found = (yield Do.FIND) if step.cached is not None else None
        value = found[0] if found is not None else (yield from tries(step))
        finish_step(step, value, cached=found is not None)
        if step.cached is not None and found is None:
            yield Keep(value)
    except asyncio.CancelledError:
        give_up_step(step)
        raise
    except (Suspend, Stop):
        raise
    except Exception as error:
        fail_step(step, error)
        if attempt.durability == "sync":
            yield Do.STORE
        raise
    if attempt.durability == "sync":
        yield Do.STORE
    return value


def _sent(step: Step) -> Plan:
    """Plan a step that others perform: they say and record all of it, and bring the run back."""
    run_id = step.assignment.run_id
    try:
        reply = "" if _is_under_way(step) else (yield Do.SEND)
        found = reply or (yield from _away(step))
        if step.place is not None and (stamp := step.place.claim()):
            step.attempt.journal.keep(f"@{step.id}", stamp)  # when this run got to know
        if isinstance(found, str):
            raise lost(run_id, step.id, found)
    except LeaseLostError:
        raise
    except Exception as error:
        fail_step(step, error)
        if step.attempt.durability == "sync":
            yield Do.STORE
        raise
    if found.error is not None:
        step.attempt.failures.add(step.id, found.error, step.sight)
    return found.get()


def _away(step: Step) -> Generator[Effect, Any, Outcome | str]:
    """Wait for a step elsewhere; returns its outcome, or `!<status> <reason>` if nothing came."""
    attempt = step.attempt
    attempt.waits.add(Wait(step.id, "step", step.id))
    where = f"step {step.id!r} of run {step.assignment.run_id!r}"
    found: Outcome | str = yield Park(
        Suspend(f"{where} is performed on queue {step.queue!r}", step.id)
    )
    attempt.waits.withdraw(step.id)
    return found


def _is_under_way(step: Step) -> bool:
    """Tell whether an earlier attempt has sent this very call, and it was not over at the claim."""
    sent = step.attempt.journal.sent(step.id)
    if sent is None:
        return False
    return step.attempt.codec.at("remote", step.id).opened(sent) == step.arguments


def call_of(step: Step) -> RemoteCall:
    """Write a step down as it is sent to its queue, with the key of the run's input.

    Who performs it again finds by that key what is recorded below it.

    Raises:
        CodecError: the arguments cannot be written; names the step.
    """
    text, codec = step.arguments, step.attempt.replay.codec
    if text is None:
        given = [list(step.args), dict(sorted(step.kwargs.items()))]
        text = codec.plain.dumps(given, f"arguments of step {step.id!r}")
    sealed = codec.at("remote", step.id).seal(text)
    return RemoteCall(step.id, step.name, step.queue, step.digest, sealed)


def tries(step: Step) -> Plan:
    """Plan the tries of a body: again, after a wait, as long as its policies say so.

    Those of earlier attempts count. Of a try that has failed, or was cancelled, nothing counts that
    a thread it has left behind still does. One that waits may have more to ask elsewhere.
    """
    if step.policies:
        yield from _earlier_tries(step)
    while True:
        try:
            value = yield Do.BODY
        except BaseException as raised:
            error = ungroup(raised)
            step.scope.is_abandoned = not isinstance(error, Suspend)
            delay = None
            if isinstance(error, Exception):
                delay = delay_after(step.policies, error, step.tries)
            if delay is None:
                if error is raised:
                    raise
                raise error from None
            retry_step(step, error, delay)
            step.tries += 1
            yield from _pause(step, delay)
            step.scope = Scope(step)
        else:
            step.attempt.replay.check_end(step)
            return value


def _earlier_tries(step: Step) -> Plan:
    while step.attempt.timers.has_begun(retry_timer(step.id, step.tries + 1)):
        step.tries += 1
    if step.tries > 1:
        yield from _pause(step, 0.0)


def _pause(step: Step, seconds: float) -> Plan:
    """Wait for a step's next try: here, or away from the process if that takes long."""
    timers, timer = step.attempt.timers, retry_timer(step.id, step.tries)
    left = timers.begin(timer, seconds)
    if left > step.attempt.journal.patience:
        yield Park(timers.wait(timer, step.id), left)
        step.attempt.waits.withdraw(timer)
    elif left > 0:
        yield Pause(left)


def ungroup(error: BaseException) -> BaseException:
    """Return what a group of exceptions comes to: its failures, else what it leaves the run for.

    A TaskGroup raises what its tasks raised in a group, also where they wait or are stopped.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    members = list(_leaves(cast("BaseExceptionGroup[BaseException]", error)))
    leaving = [member for member in members if isinstance(member, (Suspend, Stop))]
    failures = [member for member in members if isinstance(member, Exception)]
    if not leaving:
        return cast(BaseException, error)
    return ExceptionGroup("several steps failed", failures) if failures else leaving[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for member in group.exceptions:
        if isinstance(member, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", member))
        else:
            yield member
