"""What a run's code asks, and what it was answered."""

from __future__ import annotations

__all__ = ["Questions"]

import threading
from typing import TYPE_CHECKING, Any

from penstock.runtime.errors import Suspend
from penstock.runtime.interrupt import Interrupt, interrupt_id

if TYPE_CHECKING:
    from penstock.runtime.attempt import Attempt
    from penstock.runtime.scope import Scope


class Questions:
    """The interrupts of one attempt that have no answer yet."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._lock = threading.Lock()
        self._open: dict[str, Interrupt] = {}
        self._asking: dict[str, str] = {}

    @property
    def open(self) -> tuple[Interrupt, ...]:
        """All open questions, in the order in which they were asked."""
        return tuple(self._open.values())

    def ask(self, scope: Scope, value: Any) -> Any:
        """Return the answer to a scope's next interrupt.

        Raises:
            Suspend: it has none yet.
        """
        attempt, run_id = self._attempt, self._attempt.assignment.run_id
        number, scope.interrupts = scope.interrupts, scope.interrupts + 1
        name = interrupt_id(run_id, scope.step_id, number)
        answer = attempt.journal.recorded(f"!{name}")
        if answer is not None:
            return attempt.codec.loads(answer)
        if attempt.journal.stores:
            attempt.codec.dumps(value, f"interrupt of step {scope.step_id!r}")
        with self._lock:
            self._open[name] = Interrupt(value, name)
            self._asking[name] = scope.step_id
        if scope.namespace:
            data = {"id": scope.step_id, "interrupts": [{"value": value, "id": name}]}
            attempt.say("step.interrupted", data, scope.namespace[:-1])
        raise Suspend(
            f"run {run_id!r} waits for an answer to interrupt {name}; "
            "answer it with Command(resume=...) or run.resume(...)"
        )

    def leave_if_asked(self, step_id: str) -> None:
        """Leave a step whose body has caught the Suspend of a question, as if it had not.

        Raises:
            Suspend: the step, or one below it, asks something that has no answer yet.
        """
        if not self._open:
            return
        with self._lock:
            asking = tuple(self._asking.values())
        if any(where == step_id or where.startswith(f"{step_id}/") for where in asking):
            raise Suspend(f"step {step_id!r} asks something that has no answer yet")
