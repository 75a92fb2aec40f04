"""How an attempt ends: with what, and what is stored and said of it."""

from __future__ import annotations

__all__ = ["asked_by", "ending_of"]

import json
import time
from collections.abc import Sequence
from typing import Any

from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.engine.cause import cause_of
from penstock.runtime.journal.endings import Asked, Ending, Finished, HandedOver, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.failure_reason import reason_of
from penstock.runtime.journal.outcome import Outcome, encode_outcome
from penstock.runtime.journal.result import Result
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.types.final import Final
from penstock.runtime.types.interrupt import Interrupt


def ending_of(attempt: Attempt, result: Result) -> Ending:
    """Write down how an attempt ends.

    Raises:
        CodecError: the result cannot be written.
    """
    if result.status == "handed over":
        return HandedOver()
    if attempt.assignment.step_id:
        return _remote_ending(attempt, result)
    if result.status == "suspended":
        return _suspended(attempt, result)
    if result.status == "completed":
        return _completed(attempt, result)
    data: dict[str, Any] = {"name": attempt.assignment.entrypoint, "status": result.status}
    if result.is_hosted:
        data["graph"] = True
    if result.error is None:
        return Finished(
            "cancelled", Fact("run.finished", data, (), time.time()), reason="cancelled"
        )
    outcome = {"outcome": {"error": result.error}}
    fact = Fact("run.finished", data | outcome, (), time.time(), "result", inline=True)
    checkpoints: dict[str, str] = {}
    reason = type(result.error).__name__
    if attempt.journal.stores:
        failed = Outcome(error=result.error)
        checkpoints["result"] = encode_outcome(failed, attempt.codec, "result", "error of the run")
        reason = reason_of(result.error, attempt.codec)
    reopened = attempt.failures.reopened(result.error)
    tries = [name for step_id in (*reopened, "") for name in attempt.timers.of_retries(step_id)]
    cancelled = attempt.replay.given_up_below(reopened) | attempt.given_up
    reopen = (*reopened, *tries, *sorted(cancelled))
    cause = cause_of(attempt, result.error)
    return Finished("failed", fact, checkpoints, reopen, reason, cause=cause)


def _remote_ending(attempt: Attempt, result: Result) -> Finished | Suspended:
    """Return the end of an attempt whose step says itself what came of it."""
    if result.status == "suspended":
        return Suspended(None, {}, attempt.waits.due, remote=_remote(attempt))
    if result.status == "completed":
        return Finished(
            "completed", None, reason=type(result.error).__name__ if result.error else ""
        )
    if result.error is None:
        return Finished("cancelled", None, reason="cancelled")
    return Finished("failed", None, reason=type(result.error).__name__)


def _suspended(attempt: Attempt, result: Result) -> Suspended:
    asked = [item.as_dict() for item in result.interrupts]
    wakes, remote = attempt.waits.due, _remote(attempt)
    told = {"interrupts": asked} | ({"graph": True} if result.is_hosted else {})
    fact = Fact("run.interrupted", told, (), time.time())
    if not asked and attempt.waits:
        data: dict[str, Any] = {}
        if wakes is not None:
            data["seconds"] = round(max(0.0, wakes - attempt.journal.now()) / 1000, 3)
        if remote:
            data["steps"] = list(remote)
        fact = Fact("run.suspended", data, (), time.time())
    if not attempt.journal.stores:
        return Suspended(fact, {}, wakes)
    stored = asked_by(attempt, result.interrupts)
    return Suspended(fact, stored.questions, wakes, stored.schemas, stored.checkpoints, remote)


def asked_by(attempt: Attempt, interrupts: Sequence[Interrupt]) -> Asked:
    """Write questions down as they are stored."""
    codec = attempt.codec
    questions = {item.id: codec.at("question", item.id).dumps(item.value) for item in interrupts}
    schemas = {
        item.id: codec.at("question", item.id, "schema").dumps(item.response_schema)
        for item in interrupts
        if item.response_schema is not None
    }
    checkpoints = {
        f"?{name}": attempt.questions.record(name, text, schemas.get(name))
        for name, text in questions.items()
    }
    return Asked(questions, schemas, checkpoints)


def _remote(attempt: Attempt) -> tuple[str, ...]:
    return tuple(wait.name for wait in attempt.waits.of("step"))


def _completed(attempt: Attempt, result: Result) -> Finished:
    value, save = Final.split(result.value)
    checkpoints: dict[str, str] = {}
    if attempt.journal.stores:
        codec, assignment = attempt.codec, attempt.assignment
        done = Outcome(value)
        checkpoints["result"] = encode_outcome(done, codec, "result", "result of the run")
        if not result.is_hosted:
            kept = Kept(attempt.shared_codec, assignment.thread_id)
            checkpoints |= kept.write(value, save, "the run")
        checkpoints |= attempt.children.checkpoints()
    data: dict[str, Any] = {"name": attempt.assignment.entrypoint, "status": "completed"}
    if result.is_cached:
        data["cached"] = True
    if result.is_hosted:
        data["graph"] = True
    text = ""
    if attempt.assignment.position is not None:
        position = attempt.assignment.position.finished(attempt.codec)
        text = f'{json.dumps(data)[:-1]},"checkpoint":{position}}}'
        if attempt.has_listener:
            data |= attempt.codec.fact("run.finished", {"checkpoint": json.loads(position)})
    data |= {"outcome": {"value": value}, "saved": save}
    fact = Fact("run.finished", data, (), time.time(), "result")
    return Finished("completed", fact, checkpoints, text=text)
