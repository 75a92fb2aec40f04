"""What a run's code asks, and what it was answered."""

from __future__ import annotations

__all__ = ["Limit", "Question", "Questions"]

import logging
import threading
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from penstock.runtime.errors import ConfigurationError, InterruptTimeoutError, Suspend
from penstock.runtime.interrupt import NOTHING, Interrupt, interrupt_id
from penstock.runtime.lineage import Branch, caller
from penstock.runtime.waits import Wait

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


@dataclass(frozen=True, slots=True)
class Question:
    """One interrupt as its code reaches it."""

    name: str
    """Its id."""
    value: Any
    scope: Scope
    path: str
    """The branch that asks."""
    number: int
    """Which of the branch's questions it is."""
    limit: Limit | None = None
    response: Response | None = None

    def expired(self) -> Any:
        """Return what stands in for an answer that never came.

        Raises:
            InterruptTimeoutError: nothing does.
        """
        assert self.limit is not None
        return self.limit.answer(self.scope.attempt.assignment.run_id, self.scope.step_id)

    @property
    def interrupt(self) -> Interrupt:
        """What is shown of it."""
        schema = None if self.response is None else self.response.schema
        return Interrupt(self.value, self.name, schema)


class Questions:
    """The interrupts of one attempt that have no answer yet."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._lock = threading.Lock()
        self._asked: dict[str, Question] = {}
        self.reached: set[str] = set()
        """Those that the code has come to, whether they had an answer or not."""

    def record(self, name: str, value: str, schema: str | None) -> str:
        """Write who asked a question, which of its questions it is, and the encoded question."""
        asked = self._asked[name]
        more = f',"response_schema":{schema}' if schema is not None else ""
        step_id = asked.scope.step_id
        branch = f',"branch":{quote(asked.path)}' if asked.path != step_id else ""
        return f'{{"step":{quote(step_id)}{branch},"number":{asked.number},"value":{value}{more}}}'

    @property
    def open(self) -> tuple[Interrupt, ...]:
        """All open questions, in the order in which they were asked."""
        waiting = self._attempt.waits.of("question")
        return tuple(self._asked[wait.name].interrupt for wait in waiting)

    def next(
        self, branch: Branch, value: Any, limit: Limit | None, response: Response | None
    ) -> tuple[Question, tuple[Any] | None]:
        """Return a branch's next interrupt, and its answer in a tuple of its own, if it has one.

        An answer that does not fit the response wanted, and that whoever gave it could not know
        not to fit, counts as none: the same is asked again, as an interrupt of its own.

        Raises:
            ConfigurationError: the step that asks is performed on a queue of its own.
        """
        attempt, scope = self._attempt, branch.scope
        run_id = attempt.assignment.run_id
        if attempt.assignment.step_id:
            raise ConfigurationError(
                f"step {scope.step_id!r} is performed on a queue of its own, where it cannot ask: "
                "call interrupt() in the entrypoint, and give the task the answer."
            )
        while True:
            path, number = branch.number("?", value)
            name = interrupt_id(run_id, path, number)
            question = Question(name, value, scope, path, number, limit, response)
            self.reached.add(name)
            text = attempt.journal.recorded(f"!{name}")
            if text is None:
                return question, None
            answer = self.answer(question, text)
            if answer is not None:
                return question, answer

    def read(self, name: str, text: bytes) -> tuple[Any] | None:
        """Read an answer to what this attempt has asked; None if it does not fit."""
        question = self._asked[name]
        return question.scope.step.context.copy().run(self.answer, question, text)

    def answer(self, question: Question, text: str | bytes) -> tuple[Any] | None:
        """Read an answer; None if it does not fit."""
        answer = self._attempt.codec.at("answer", question.name).loads(text)
        if question.response is None:
            return (answer,)
        try:
            return (question.response.take(self._attempt, question.name, answer),)
        except ValidationError as error:
            logger.warning(
                "the answer to interrupt %s does not fit, it is asked again: %s",
                question.name,
                ", ".join(each["type"] for each in error.errors(include_input=False)),
                extra={
                    "run_id": self._attempt.assignment.run_id,
                    "event": "interrupt.refused",
                },
            )
            return None

    def seconds_left(self, question: Question) -> float | None:
        """Return how long an answer may still take, None for ever; its time begins with this."""
        if question.limit is None:
            return None
        return self._attempt.timers.begin(question.name, question.limit.seconds)

    def ask(self, question: Question) -> Suspend:
        """Let a question be seen, and the run wait for it; returns what leaves the process."""
        attempt, scope, name = self._attempt, question.scope, question.name
        run_id = attempt.assignment.run_id
        interrupt, text = question.interrupt, None
        if attempt.journal.stores:
            text = f'{{"id":{quote(scope.step_id)},"interrupts":[{self._text(scope, interrupt)}]}}'
        due = attempt.timers.due(name) if question.limit is not None else None
        with self._lock:
            self._asked[name] = question
        attempt.waits.add(Wait(name, "question", scope.step_id, due))
        if scope.namespace:
            data = {"id": scope.step_id, "interrupts": [interrupt.told()]}
            attempt.say("step.interrupted", data, caller(scope.step_id), text=text)
        return Suspend(
            f"run {run_id!r} waits for an answer to interrupt {name}; "
            "answer it with Command(resume=...) or run.resume(...)",
            name,
        )

    def _text(self, scope: Scope, asked: Interrupt) -> str:
        codec = self._attempt.codec.at("question", asked.id)
        where = f"step {scope.step_id!r}" if scope.step_id else "the run"
        value = codec.dumps(asked.value, f"interrupt of {where}")
        if asked.response_schema is None:
            return f'{{"value":{value},"id":"{asked.id}"}}'
        schema = codec.at("schema").dumps(asked.response_schema, "response_schema")
        return f'{{"value":{value},"id":"{asked.id}","response_schema":{schema}}}'
