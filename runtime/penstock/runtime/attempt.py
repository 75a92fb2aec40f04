"""One try of a run: what its code says and does, told to the journal and to who listens."""

from __future__ import annotations

__all__ = ["Assignment", "Attempt"]

import hashlib
import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quote
from types import FrameType
from typing import Any, TypeAlias

from penstock.publisher.codec import Codec
from penstock.publisher.errors import CodecError
from penstock.publisher.failure import dump_error, load_error
from penstock.runtime.cache import Cache
from penstock.runtime.errors import ReplayError, Stop, Suspend
from penstock.runtime.final import Final
from penstock.runtime.future import Sight
from penstock.runtime.interrupt import Interrupt, interrupt_id
from penstock.runtime.journal import Durability, Fact, Journal
from penstock.runtime.lineage import Branch
from penstock.runtime.outcome import Outcome, encode_outcome
from penstock.runtime.perform import Step
from penstock.runtime.scope import Scope

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[Fact], None]

INPUT_KEPT = 16 * 1024
"""Bytes of a step's encoded arguments past which `step.started` does not carry them."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an attempt is to do: which run, of which thread, the how-manieth try, set up how."""

    run_id: str
    thread_id: str
    entrypoint: str
    number: int = 1
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    previous: Any = None
    context: Any = None
    store: Any = None
    cache: Cache | None = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """A step that failed, now or in an earlier attempt, and whether its caller outlived that."""

    step_id: str
    error: BaseException
    sight: Sight | None


class Attempt:
    """The state of one try of a run, shared by all its steps, on whichever thread they run."""

    def __init__(
        self,
        assignment: Assignment,
        journal: Journal,
        codec: Codec,
        *,
        durability: Durability = "async",
        listener: Listener | None = None,
    ) -> None:
        self.assignment = assignment
        self.journal = journal
        self.codec = codec
        self.durability: Durability = durability
        self.lock = threading.Lock()
        self.interrupts: dict[str, Interrupt] = {}
        self.stopping: Stop | None = None
        self.is_over = False
        self._listener = listener
        self._failures: list[_Failure] = []
        self._asking: dict[str, str] = {}
        self._done: dict[str, Outcome] = {}

    # -- what the run says ----------------------------------------------------------------------

    def say(
        self, mode: str, data: Any, namespace: tuple[str, ...] = (), *, text: str | None = None
    ) -> None:
        """Tell a fact to who listens, and to the journal."""
        if self._listener is None and not self.journal.stores:
            return
        fact = Fact(mode, data, namespace, time.time())
        if self.journal.stores:
            what = f"{mode} event of step {namespace[-1]!r}" if namespace else f"{mode} event"
            self.journal.append(fact, self.codec.dumps(data, what) if text is None else text)
        if self._listener is not None:
            self._listener(fact)

    def check(self, scope: Scope | None = None) -> None:
        """Leave, if the attempt is over, or the body that asks was given up.

        Raises:
            Stop: it has ended, was cancelled, drained, or lost its lease; or the body's time is
                over.
        """
        if self.is_over:
            raise Stop(f"run {self.assignment.run_id!r} is over; what comes late does not count")
        if scope is not None and scope.is_abandoned:
            raise Stop(f"the time of step {scope.step_id!r} was over")
        if self.stopping is not None:
            raise self.stopping

    def heard(self, fact: Fact) -> None:
        """Tell a fact that the journal has stored by other means to who listens."""
        if self._listener is not None:
            self._listener(fact)

    # -- steps ----------------------------------------------------------------------------------

    def start_step(self, step: Step) -> None:
        """Say that a step begins; rides along with what is stored next."""
        if self._listener is None and not self.journal.stores:
            return
        data = {"id": step.id, "input": (step.args, step.kwargs)}
        text = None
        if self.journal.stores:
            arguments = step.arguments
            kept = arguments if arguments and len(arguments) <= INPUT_KEPT else "null"
            text = f'{{"id":{quote(step.id)},"input":{kept}}}'
        self.say("step.started", data, step.scope.namespace[:-1], text=text)

    def finish_step(self, step: Step, value: Any, *, cached: bool = False) -> None:
        """Record what a step returned, or what the cache had of it.

        Raises:
            CodecError: the value cannot be stored; names the step.
        """
        self._leave_if_asking(step)
        value = Final.split(value)[0]
        if self._listener is not None or self.journal.stores:
            self._conclude(step, Outcome(value=value, digest=step.digest), cached=cached)
        if self.journal.stores:
            self._done[step.id] = Outcome(value=value, digest=step.digest)

    def fail_step(self, step: Step, error: BaseException) -> None:
        """Record that a step failed for good."""
        self._leave_if_asking(step)
        note = f"in task {step.name!r}, step {step.id!r} of run {self.assignment.run_id!r}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        self.failed_before(step.id, error, step.sight)
        self._conclude(step, Outcome(error=error, digest=step.digest))

    def failed_before(self, step_id: str, error: BaseException, sight: Sight | None) -> None:
        """Remember a failure until it is clear whether the caller outlives it."""
        with self.lock:
            self._failures.append(_Failure(step_id, error, sight))

    def retry_step(self, step: Step, error: BaseException, delay: float) -> None:
        """Say that a step's try failed and when the next one comes."""
        logger.warning(
            "step %s failed, next try in %.1f s: %s",
            step.id,
            delay,
            type(error).__name__,
            extra={"run_id": self.assignment.run_id, "event": "step.retry"},
        )
        data = {
            "id": step.id,
            "attempt": step.tries,
            "error": dump_error(error, self.codec),
            "delay": delay,
        }
        self.say("step.retry", data, step.scope.namespace[:-1])

    def _leave_if_asking(self, step: Step) -> None:
        """Leave, where a body has caught the Suspend of a question that still has no answer."""
        if self.interrupts:
            with self.lock:
                asking = tuple(self._asking.values())
            if any(where == step.id or where.startswith(f"{step.id}/") for where in asking):
                raise Suspend(f"step {step.id!r} asks something that has no answer yet")

    def _conclude(self, step: Step, outcome: Outcome, *, cached: bool = False) -> None:
        ended = {"value": outcome.value} if outcome.error is None else {"error": outcome.error}
        data: dict[str, Any] = {"id": step.id, "outcome": ended}
        if cached:
            data["cached"] = True
        fact = Fact(
            "step.finished",
            data,
            step.scope.namespace[:-1],
            time.time(),
            step.id,
        )
        if self.journal.stores:
            text = encode_outcome(outcome, self.codec, f"result of step {step.id!r}")
            extra = ',"cached":true' if cached else ""
            self.journal.append(fact, f'{{"id":{quote(step.id)}{extra}}}', text)
        if self._listener is not None:
            self._listener(fact)

    def recall(
        self, branch: Branch, step_id: str, name: str, digest: str, changed: str
    ) -> Outcome | None:
        """Return a step's outcome if it has one; `changed` says what to do where arguments differ.

        Raises:
            ReplayError: the step was recorded with other arguments, and `changed` is "raise".
        """
        outcome = self._done.get(step_id)
        if outcome is None:
            text = self.journal.recorded(step_id)
            if text is None:
                return None
            outcome = self._outcome(text)
        alike = not digest or not outcome.digest or outcome.digest == digest
        if alike and step_id not in branch.reused:
            branch.reused.add(step_id)
            return outcome
        moved = self._moved(branch, step_id, digest)
        if moved is not None or changed == "rerun":
            return moved
        raise ReplayError(
            f"run {self.assignment.run_id!r} does not replay: expected step {step_id!r} with the "
            f"arguments recorded (digest {outcome.digest}), found a call of task {name!r} with "
            f"others (digest {digest}) at {_caller()}. "
            "Give the call a key, task.keyed(key)(...), if its order may change; declare the task "
            'with on_change="rerun" if it may run again; or start a new run.'
        )

    def _moved(self, branch: Branch, step_id: str, digest: str) -> Outcome | None:
        """Find the same call under another number of the same name, as when completions reorder."""
        stem = step_id.rpartition(":")[0]
        for index in range(10_000):
            candidate = f"{stem}:{index}"
            text = self.journal.recorded(candidate)
            if text is None:
                return None
            if candidate not in branch.reused and (found := self._outcome(text)).digest == digest:
                branch.reused.add(candidate)
                return found
        return None

    def _outcome(self, text: str | bytes) -> Outcome:
        tree = self.codec.loads(text)
        error = load_error(tree["error"]) if "error" in tree else None
        return Outcome(value=tree.get("value"), error=error, digest=tree.get("digest", ""))

    def digest(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, str | None]:
        """Return a digest of a call's arguments and their text; "" and None if they have none."""
        if not self.journal.stores:
            return "", None
        try:
            text = self.codec.dumps([list(args), dict(sorted(kwargs.items()))], "arguments")
        except CodecError:
            return "", None
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=6
        ).hexdigest(), text

    # -- interrupts -----------------------------------------------------------------------------

    def ask(self, scope: Scope, value: Any) -> Any:
        """Return the answer to a scope's next interrupt.

        Raises:
            Suspend: it has none yet.
        """
        number, scope.interrupts = scope.interrupts, scope.interrupts + 1
        name = interrupt_id(self.assignment.run_id, scope.step_id, number)
        answer = self.journal.recorded(f"!{name}")
        if answer is not None:
            return self.codec.loads(answer)
        if self.journal.stores:
            self.codec.dumps(value, f"interrupt of step {scope.step_id!r}")
        interrupt = Interrupt(value, name)
        with self.lock:
            self.interrupts[name] = interrupt
            self._asking[name] = scope.step_id
        if scope.namespace:
            data = {"id": scope.step_id, "interrupts": [{"value": value, "id": name}]}
            self.say("step.interrupted", data, scope.namespace[:-1])
        raise Suspend(
            f"run {self.assignment.run_id!r} waits for an answer to interrupt {name}; "
            "answer it with Command(resume=...) or run.resume(...)"
        )

    # -- the end --------------------------------------------------------------------------------

    def reopened(self, error: BaseException) -> tuple[str, ...]:
        """Name the failed steps to do again: those that ended the run, or that nothing survived."""
        chain = set(map(id, _chain(error)))
        return tuple(
            failure.step_id
            for failure in self._failures
            if id(failure.error) in chain or failure.sight is None or not failure.sight.is_survived
        )

    def report_unseen(self) -> None:
        """Log the failures of steps whose futures nobody looked at."""
        for failure in self._failures:
            if failure.sight is not None and not failure.sight.is_seen:
                logger.error(
                    "step %s failed with %s, and nothing looked at its future",
                    failure.step_id,
                    type(failure.error).__name__,
                    extra={"run_id": self.assignment.run_id, "event": "step.unseen"},
                )


def _chain(error: BaseException) -> Sequence[BaseException]:
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or any(current is seen for seen in found):
            continue
        found.append(current)
        todo += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            todo += current.exceptions
    return found


def _caller() -> str:
    """Return file and line of the user's code that is calling."""
    frame: FrameType | None = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("penstock.runtime"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}" if frame else "an unknown place"
