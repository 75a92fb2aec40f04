"""What a run's code asks, and what it was answered."""

from __future__ import annotations

__all__ = ["Limit", "Questions"]

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from penstock.runtime.errors import InterruptTimeoutError, Suspend
from penstock.runtime.interrupt import NOTHING, Interrupt, interrupt_id

if TYPE_CHECKING:
    from penstock.runtime.attempt import Attempt
    from penstock.runtime.scope import Scope


@dataclass(frozen=True, slots=True)
class Limit:
    """How long an interrupt waits, and the answer that stands in for none, if there is one."""

    seconds: float
    default: Any = NOTHING

    def answer(self, run_id: str, step_id: str) -> Any:
        """Return what stands in for an answer that never came.

        Raises:
            InterruptTimeoutError: nothing does.
        """
        if self.default is NOTHING:
            where = f"step {step_id!r} of run" if step_id else "run"
            raise InterruptTimeoutError(
                run_id,
                f"nobody answered {where} {run_id!r} within {self.seconds:g} s; "
                "give interrupt(..., default=...) to go on without an answer.",
            )
        return self.default


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

    def ask(self, scope: Scope, value: Any, limit: Limit | None = None) -> Any:
        """Return the answer to a scope's next interrupt, or what stands in for one that never came.

        Raises:
            Suspend: it has none yet.
            InterruptTimeoutError: its time is over, and nothing stands in for it.
        """
        attempt, run_id = self._attempt, self._attempt.assignment.run_id
        number, scope.interrupts = scope.interrupts, scope.interrupts + 1
        name = interrupt_id(run_id, scope.step_id, number)
        answer = attempt.journal.recorded(f"!{name}")
        if answer is not None:
            return attempt.codec.at("answer", name).loads(answer)
        if limit is not None:
            if attempt.timers.begin(name, limit.seconds) <= 0:
                return limit.answer(run_id, scope.step_id)
            attempt.timers.wake_at(name, scope.step_id)
        text = None
        if attempt.journal.stores:
            what = f"interrupt of step {scope.step_id!r}"
            text = attempt.codec.at("question", name).dumps(value, what)
            text = (
                f'{{"id":{quote(scope.step_id)},"interrupts":[{{"value":{text},"id":"{name}"}}]}}'
            )
        with self._lock:
            self._open[name] = Interrupt(value, name)
            self._asking[name] = scope.step_id
        if scope.namespace:
            data = {"id": scope.step_id, "interrupts": [{"value": value, "id": name}]}
            attempt.say("step.interrupted", data, scope.namespace[:-1], text=text)
        raise Suspend(
            f"run {run_id!r} waits for an answer to interrupt {name}; "
            "answer it with Command(resume=...) or run.resume(...)"
        )

    @property
    def asking(self) -> Mapping[str, str]:
        """The steps that wait for an answer, by the ids of their questions."""
        return self._asking
