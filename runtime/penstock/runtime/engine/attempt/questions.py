"""What a run's code asks, and what it was answered."""

from __future__ import annotations

__all__ = ["Limit", "Question", "Questions"]

import contextvars
import logging
import threading
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from pydantic import ValidationError

from penstock.publisher.codec.codec import Codec
from penstock.runtime.engine.attempt.response_schema import Response
from penstock.runtime.engine.waiting.waits import Wait, Waits
from penstock.runtime.errors import InterruptTimeoutError
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.journal import Journal
from penstock.runtime.types.interrupt import NOTHING, Interrupt

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
    step_id: str
    """The step that asks."""
    path: str
    """The branch that asks."""
    number: int
    """Which of the branch's questions it is."""
    context: contextvars.Context
    """The context of the step, in which an answer is read."""
    limit: Limit | None = None
    response: Response | None = None

    @property
    def interrupt(self) -> Interrupt:
        """What is shown of it."""
        schema = None if self.response is None else self.response.schema
        return Interrupt(self.value, self.name, schema)


class Questions:
    """The interrupts of one attempt that have no answer yet."""

    def __init__(
        self, assignment: Assignment, journal: Journal, codec: Codec, waits: Waits
    ) -> None:
        self._run_id = assignment.run_id
        self._journal = journal
        self._codec = codec
        self._waits = waits
        self._lock = threading.Lock()
        self._asked: dict[str, Question] = {}
        self.reached: set[str] = set()
        """Those that the code has come to, whether they had an answer or not."""

    def reach(self, question: Question) -> str | bytes | None:
        """Take note that the code has come to a question; returns the answer that is recorded."""
        self.reached.add(question.name)
        return self._journal.recorded(f"!{question.name}")

    def add(self, question: Question, due: float | None) -> None:
        """Let the run wait for the answer to a question, until it is due."""
        with self._lock:
            self._asked[question.name] = question
        self._waits.add(Wait(question.name, "question", question.step_id, due))

    def record(self, name: str, value: str, schema: str | None) -> str:
        """Write who asked a question, which of its questions it is, and the encoded question."""
        asked = self._asked[name]
        more = f',"response_schema":{schema}' if schema is not None else ""
        step_id = asked.step_id
        branch = f',"branch":{quote(asked.path)}' if asked.path != step_id else ""
        return f'{{"step":{quote(step_id)}{branch},"number":{asked.number},"value":{value}{more}}}'

    @property
    def open(self) -> tuple[Interrupt, ...]:
        """All open questions, in the order in which they were asked."""
        return tuple(self._asked[wait.name].interrupt for wait in self._waits.of("question"))

    def read(self, name: str, text: bytes) -> tuple[Any] | None:
        """Read an answer to what this attempt has asked; None if it does not fit."""
        question = self._asked[name]
        return question.context.copy().run(self.answer, question, text)

    def answer(self, question: Question, text: str | bytes) -> tuple[Any] | None:
        """Read an answer; None if it does not fit."""
        answer = self._codec.at("answer", question.name).loads(text)
        if question.response is None:
            return (answer,)
        try:
            return (question.response.take(self._journal, self._codec, question.name, answer),)
        except ValidationError as error:
            logger.warning(
                "the answer to interrupt %s does not fit, it is asked again: %s",
                question.name,
                ", ".join(each["type"] for each in error.errors(include_input=False)),
                extra={"run_id": self._run_id, "event": "interrupt.refused"},
            )
            return None

    def written(self, asked: Interrupt, step_id: str) -> str:
        """Write a question down as its event shows it.

        Raises:
            CodecError: it cannot be stored; names the step.
        """
        codec = self._codec.at("question", asked.id)
        where = f"step {step_id!r}" if step_id else "the run"
        value = codec.dumps(asked.value, f"interrupt of {where}")
        if asked.response_schema is None:
            return f'{{"value":{value},"id":"{asked.id}"}}'
        schema = codec.at("schema").dumps(asked.response_schema, "response_schema")
        return f'{{"value":{value},"id":"{asked.id}","response_schema":{schema}}}'
