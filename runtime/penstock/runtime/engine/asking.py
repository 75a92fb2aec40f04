"""How code of a run asks: in its thread until the process is left, or parked on the loop."""

from __future__ import annotations

__all__ = ["aask", "ask"]

from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.attempt.questions import Limit, Question
from penstock.runtime.engine.attempt.response_schema import Response
from penstock.runtime.engine.pauses import place_of, until, until_known, wait_if_given_up
from penstock.runtime.engine.step import Branch, Scope
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.errors import ConfigurationError, Suspend
from penstock.runtime.journal.step_id import caller
from penstock.runtime.types.interrupt import interrupt_id

EXPIRED: Final = ".x"
"""Ends the stamp of a question that nobody answered in time: a late answer does not count."""


def ask(branch: Branch, value: Any, limit: Limit | None, response: Response | None) -> Any:
    """Return the answer to a question of code in a thread.

    Raises:
        Suspend: it has none yet.
        InterruptTimeoutError: its time is over, and nothing stands in for it.
    """
    scope = branch.scope
    question, answered = _next(branch, value, limit, response)
    if answered is not None:
        return answered[0]
    left = _seconds_left(scope.attempt, question)
    if left is not None and left <= 0:
        return _expired(scope, question)
    raise _open(scope, question)


async def aask(branch: Branch, value: Any, limit: Limit | None, response: Response | None) -> Any:
    """Return the answer to a question of code on the loop, which waits for it in its place.

    Raises:
        InterruptTimeoutError: its time is over, and nothing stands in for it.
    """
    scope = branch.scope
    question, answered = _next(branch, value, limit, response)
    place, recorded = place_of(scope, question.name)
    await wait_if_given_up(scope.step, question.name)
    is_expired = recorded.endswith(EXPIRED)
    if is_expired:
        answered = None
    left = None if answered is not None else _seconds_left(scope.attempt, question)
    is_expired = is_expired or (left is not None and left <= 0)
    if answered is None and not is_expired:
        answered = await _answer(scope, question, left, place)
    await until_known(
        scope.attempt, question.name, place, recorded, EXPIRED if answered is None else ""
    )
    return _expired(scope, question) if answered is None else answered[0]


async def _answer(scope: Scope, question: Question, left: float | None, place: Place | None) -> Any:
    """Wait for an answer, and return it in a tuple; None if its time is over before."""
    _open(scope, question)
    return await until(scope.step, question.name, left, place)


def _next(
    branch: Branch, value: Any, limit: Limit | None, response: Response | None
) -> tuple[Question, tuple[Any] | None]:
    """Return a branch's next interrupt, and its answer in a tuple of its own, if it has one.

    An answer that does not fit the response wanted, and that whoever gave it could not know not to
    fit, counts as none: the same is asked again, as an interrupt of its own.

    Raises:
        ConfigurationError: the step that asks is performed on a queue of its own.
    """
    scope = branch.scope
    assignment, questions = scope.attempt.assignment, scope.attempt.questions
    if assignment.step_id:
        raise ConfigurationError(
            f"step {scope.step_id!r} is performed on a queue of its own, where it cannot ask: "
            "call interrupt() in the entrypoint, and give the task the answer."
        )
    while True:
        path, number = branch.number("?", value)
        name = interrupt_id(assignment.run_id, path, number)
        question = Question(
            name, value, scope.step_id, path, number, scope.step.context, limit, response
        )
        text = questions.reach(question)
        if text is None:
            return question, None
        answer = questions.answer(question, text)
        if answer is not None:
            return question, answer


def _seconds_left(attempt: Attempt, question: Question) -> float | None:
    """Return how long an answer may still take, None for ever; its time begins with this."""
    if question.limit is None:
        return None
    return attempt.timers.begin(question.name, question.limit.seconds)


def _expired(scope: Scope, question: Question) -> Any:
    """Return what stands in for an answer that never came.

    Raises:
        InterruptTimeoutError: nothing does.
    """
    assert question.limit is not None
    return question.limit.answer(scope.attempt.assignment.run_id, scope.step_id)


def _open(scope: Scope, question: Question) -> Suspend:
    """Let a question be seen, and the run wait for it; returns what leaves the process."""
    attempt, name = scope.attempt, question.name
    interrupt, text = question.interrupt, None
    if attempt.journal.stores:
        written = attempt.questions.written(interrupt, scope.step_id)
        text = f'{{"id":{quote(scope.step_id)},"interrupts":[{written}]}}'
    due = attempt.timers.due(name) if question.limit is not None else None
    attempt.questions.add(question, due)
    if scope.namespace:
        data = {"id": scope.step_id, "interrupts": [interrupt.as_dict()]}
        attempt.emit("step.interrupted", data, caller(scope.step_id), text=text)
    return Suspend(
        f"run {attempt.assignment.run_id!r} waits for an answer to interrupt {name}; "
        "answer it with Command(resume=...) or run.resume(...)",
        name,
    )
