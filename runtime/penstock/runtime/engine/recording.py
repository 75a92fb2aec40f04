"""What is said and stored as a step begins, fails a try, and ends."""

from __future__ import annotations

__all__ = [
    "fail_step",
    "finish_step",
    "give_up_step",
    "replay_step",
    "retry_step",
    "stamp_cancelled_step",
    "start_run",
    "start_step",
    "take_back",
]

import json
import logging
import time
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Final

from penstock.publisher.codec.failure import dump_error
from penstock.publisher.errors import CodecError
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.step import Step
from penstock.runtime.engine.waiting.cancel_mark import CancelMark
from penstock.runtime.engine.waiting.place import Place
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.outcome import Outcome, encode_outcome
from penstock.runtime.journal.step_id import caller
from penstock.runtime.types.final import Final as FinalValue

logger = logging.getLogger(__name__)

INPUT_KEPT: Final = 16 * 1024
"""Bytes of encoded input or arguments past which `run.started`, `step.started` leave them out."""


def start_run(attempt: Attempt, argument: Any, *, is_hosted: bool = False) -> None:
    """Say that an attempt of the run begins, perhaps one that a graph executes."""
    name, position = attempt.assignment.entrypoint, attempt.assignment.position
    data, text = {"name": name, "input": argument}, None
    if attempt.journal.stores:
        more = ',"graph":true' if is_hosted else ""
        if position is not None:
            more = f',"checkpoint":{position.started(attempt.codec, INPUT_KEPT)}'
            if attempt.has_listener:
                told = json.loads(position.started(attempt.codec))
                data |= attempt.codec.fact("run.started", {"checkpoint": told})
        text = f'{{"name":{quote(name)},"input":{_input(attempt, argument)}{more}}}'
    attempt.emit("run.started", data, text=text)


def _input(attempt: Attempt, argument: Any) -> str:
    given = attempt.journal.recorded("input")
    if given is None or len(given) > 2 * INPUT_KEPT:  # sealed, it is longer
        return "null"
    try:
        text = attempt.codec.plain.dumps(argument)
    except CodecError:
        return "null"
    return attempt.codec.at("input", "result").seal(text) if len(text) <= INPUT_KEPT else "null"


def start_step(step: Step) -> None:
    """Say that a step begins; rides along with what is stored next."""
    attempt = step.attempt
    if not attempt.is_observed:
        return
    if attempt.uncommitted.by_step:
        take_back(attempt, step.id)
    called = (step.args, step.kwargs)
    data: dict[str, Any] = {"id": step.id, "input": called, "function": step.function}
    if attempt.observer is not None:
        data["context"] = step.context
    text = ""
    if attempt.journal.stores:
        given = step.arguments
        kept = "null"
        if given and len(given) <= INPUT_KEPT:
            kept = attempt.codec.at("input", step.id).seal(given)
        text = f'{{"id":{quote(step.id)},"input":{kept}}}'
    attempt.append(Fact("step.started", data, step.called_in, time.time()), text)


def replay_step(
    attempt: Attempt, step_id: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Tell who listens in this process that a step is called which an earlier attempt recorded.

    Its begin is stored already, for those who read the run's events.
    """
    if attempt.has_listener and attempt.journal.recorded(step_id) is not None:
        data = {"id": step_id, "input": (args, kwargs), "replayed": True}
        attempt.notify(Fact("step.started", data, caller(step_id), time.time()))


def retry_step(step: Step, error: BaseException, delay: float) -> None:
    """Say that a step's try failed and when the next one comes."""
    attempt = step.attempt
    logger.warning(
        "%s failed, next try in %.1f s: %s",
        f"step {step.id}" if step.id else f"entrypoint {step.name!r}",
        delay,
        type(error).__name__,
        extra={"run_id": attempt.assignment.run_id, "event": "step.retry"},
    )
    told, seq = dump_error(error, attempt.codec), attempt.uncommitted.take_back(step.id)
    void_from = attempt.journal.seq + 1 if seq is None else seq
    data = {"id": step.id, "void_from": void_from, "attempt": step.tries, "delay": delay}
    text = None
    if attempt.journal.stores:
        sealed = attempt.codec.at("retry", step.id).dumps(told)
        text = f'{json.dumps(data)[:-1]},"error":{sealed}}}'
    attempt.emit("step.retry", {**data, "error": told}, step.called_in, text=text)
    for below in attempt.uncommitted.ended_below(step.id):
        take_back(attempt, below)


def take_back(attempt: Attempt, step_id: str) -> None:
    """Say that what a step has said is void, if it has said anything: it is executed again."""
    void_from = attempt.uncommitted.take_back(step_id)
    if void_from is not None:
        data = {"id": step_id, "void_from": void_from}
        attempt.emit("step.retry", data, caller(step_id), text=json.dumps(data))


def finish_step(step: Step, value: Any, *, cached: bool = False) -> None:
    """Record what a step returned, or what the cache had of it.

    Raises:
        CodecError: the value cannot be stored; names the step.
        Suspend: its body has caught the Suspend of what it still waits for.
    """
    attempt = step.attempt
    if attempt.waits.by_name:
        attempt.leave_if_waiting(step.id)
    if not attempt.is_observed:
        return
    result, save = FinalValue.split(value)
    final = FinalValue(value=result, save=save) if step.keeps_state and save is not result else None
    outcome = Outcome(result, None, step.digest, final)
    stamp = _conclude(step, outcome, cached=cached)
    if step.is_recorded and attempt.journal.stores:
        attempt.replay.remember(step.id, outcome._replace(at=stamp) if stamp else outcome)
        if attempt.uncommitted.by_step:
            attempt.uncommitted.keep(step.id)


def fail_step(step: Step, error: BaseException) -> None:
    """Record that a step failed for good.

    Raises:
        Suspend: its body has caught the Suspend of what it still waits for.
    """
    attempt = step.attempt
    if attempt.waits.by_name:
        attempt.leave_if_waiting(step.id)
    note = f"in task {step.name!r}, step {step.id!r} of run {attempt.assignment.run_id!r}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
    attempt.failures.add(step.id, error, step.use)
    if attempt.is_observed:
        _conclude(step, Outcome(error=error, digest=step.digest))


def give_up_step(step: Step) -> None:
    """Record that a step's caller has cancelled it, so that no later attempt begins it again."""
    attempt, caller_step = step.attempt, step.parent.step if step.parent is not None else None
    if caller_step is None or not step.is_recorded or not attempt.journal.stores:
        return
    if step.place is None or step.place.is_awaited:  # it is on the record
        return
    if attempt.is_ending or step.runner.running_steps.has_cancelled:
        return
    attempt.given_up.add(f"@{step.id}")
    attempt.journal.mark(f"@{step.id}", str(CancelMark(caller_step.tries)))


def stamp_cancelled_step(step: Step, place: Place) -> bool:
    """Record when a step ended that its caller had cancelled before; tell whether that matters.

    It does if the caller's code had settled before, so that it may have got to know other things.
    """
    if not place.cleans_up or step.parent is None or f"@{step.id}" not in step.attempt.given_up:
        return False
    place.prefix = CancelMark(step.parent.step.tries, place.requests()).prefix
    stamp = place.claim()
    if stamp:
        step.attempt.journal.mark(f"@{step.id}", f"{place.prefix}{stamp}")
    return bool(stamp)


def _conclude(step: Step, outcome: Outcome, *, cached: bool = False) -> str:
    """Record how a step ended; returns the stamp of its end, "" for none."""
    attempt, place = step.attempt, step.place
    ended = {"value": outcome.value} if outcome.error is None else {"error": outcome.error}
    data: dict[str, Any] = {"id": step.id, "outcome": ended}
    if cached:
        data["cached"] = True
    if not step.is_recorded:
        data["recorded"] = False
    failed = outcome.error is not None
    fact = Fact("step.finished", data, step.called_in, time.time(), step.id, failed)
    written = text = stamp = ""
    if attempt.journal.stores:
        written = f'{{"id":{quote(step.id)}' + (',"cached":true' if cached else "")
        if step.is_recorded:
            text = encode_outcome(outcome, attempt.codec, step.id, f"result of step {step.id!r}")
            if place is not None:
                if requests := place.requests():
                    text = f'{text[:-1]},"cancels":{requests}}}'
                if stamp := place.claim():
                    text = f'{text[:-1]},"at":"{stamp}"}}'
        else:
            written += _told(step, outcome)
        written += "}"
    attempt.append(fact, written, text)
    return stamp


def _told(step: Step, outcome: Outcome) -> str:
    """Write the outcome of a step that is not recorded for its event, if it can be written."""
    told = ',"recorded":false'
    try:
        text = encode_outcome(outcome, step.attempt.codec, step.id, "")
        return f'{told},"outcome":{text}'
    except CodecError:
        return told
