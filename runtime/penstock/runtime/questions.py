"""What a run's code asks, and what it was answered."""

from __future__ import annotations

__all__ = ["Limit", "Questions"]

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from penstock.runtime.errors import ConfigurationError, InterruptTimeoutError, Suspend
from penstock.runtime.interrupt import NOTHING, Interrupt, interrupt_id
from penstock.runtime.lineage import caller

if TYPE_CHECKING:
    from penstock.runtime.attempt import Attempt
    from penstock.runtime.response import Response
    from penstock.runtime.scope import Scope

logger = logging.getLogger(__name__)


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
        self._numbers: dict[str, int] = {}

    def record(self, name: str, value: str, schema: str | None) -> str:
        """Write who asked a question, which of its questions it is, and the encoded question."""
        more = f',"response_schema":{schema}' if schema is not None else ""
        step_id, number = quote(self._asking[name]), self._numbers[name]
        return f'{{"step":{step_id},"number":{number},"value":{value}{more}}}'

    @property
    def open(self) -> tuple[Interrupt, ...]:
        """All open questions, in the order in which they were asked."""
        return tuple(self._open.values())

    def ask(
        self,
        scope: Scope,
        value: Any,
        limit: Limit | None = None,
        response: Response | None = None,
    ) -> Any:
        """Return the answer to a scope's next interrupt, or what stands in for one that never came.

        An answer that does not fit the response wanted, and that whoever gave it could not know
        not to fit, counts as none: the same is asked again, as an interrupt of its own.

        Raises:
            Suspend: it has none yet.
            InterruptTimeoutError: its time is over, and nothing stands in for it.
            ConfigurationError: the step that asks is performed on a queue of its own.
        """
        attempt, run_id = self._attempt, self._attempt.assignment.run_id
        if attempt.assignment.step_id:
            raise ConfigurationError(
                f"step {scope.step_id!r} is performed on a queue of its own, where it cannot ask: "
                "call interrupt() in the entrypoint, and give the task the answer."
            )
        name, answered = self._next(scope, response)
        if answered is not None:
            return answered[0]
        if limit is not None:
            if attempt.timers.begin(name, limit.seconds) <= 0:
                return limit.answer(run_id, scope.step_id)
            attempt.timers.wake_at(name, scope.step_id)
        schema = None if response is None else response.schema
        text = None
        interrupt = Interrupt(value, name, schema)
        if attempt.journal.stores:
            text = f'{{"id":{quote(scope.step_id)},"interrupts":[{self._text(scope, interrupt)}]}}'
        with self._lock:
            self._open[name] = interrupt
            self._asking[name] = scope.step_id
            self._numbers[name] = scope.interrupts - 1
        if scope.namespace:
            data = {"id": scope.step_id, "interrupts": [interrupt.told()]}
            attempt.say("step.interrupted", data, caller(scope.step_id), text=text)
        raise Suspend(
            f"run {run_id!r} waits for an answer to interrupt {name}; "
            "answer it with Command(resume=...) or run.resume(...)"
        )

    @property
    def asking(self) -> Mapping[str, str]:
        """The steps that wait for an answer, by the ids of their questions."""
        return self._asking

    def _next(self, scope: Scope, response: Response | None) -> tuple[str, tuple[Any] | None]:
        """Return the id of a scope's next interrupt, and its answer in a tuple of its own."""
        attempt, run_id = self._attempt, self._attempt.assignment.run_id
        while True:
            number, scope.interrupts = scope.interrupts, scope.interrupts + 1
            name = interrupt_id(run_id, scope.step_id, number)
            text = attempt.journal.recorded(f"!{name}")
            if text is None:
                return name, None
            answer = attempt.codec.at("answer", name).loads(text)
            try:
                return name, (answer if response is None else response.take(attempt, name, answer),)
            except ValidationError as error:
                logger.warning(
                    "the answer to interrupt %s does not fit, it is asked again: %s",
                    name,
                    ", ".join(each["type"] for each in error.errors(include_input=False)),
                    extra={"run_id": run_id, "event": "interrupt.refused"},
                )

    def _text(self, scope: Scope, asked: Interrupt) -> str:
        codec = self._attempt.codec.at("question", asked.id)
        where = f"step {scope.step_id!r}" if scope.step_id else "the run"
        value = codec.dumps(asked.value, f"interrupt of {where}")
        if asked.response_schema is None:
            return f'{{"value":{value},"id":"{asked.id}"}}'
        schema = codec.at("schema").dumps(asked.response_schema, "response_schema")
        return f'{{"value":{value},"id":"{asked.id}","response_schema":{schema}}}'
