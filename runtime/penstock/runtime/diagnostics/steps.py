"""The steps of a run, put together from its events and checkpoints."""

from __future__ import annotations

__all__ = ["Step", "StepStatus", "fold", "read_steps", "remote_steps"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import RedisRightsError
from penstock.publisher.redis.script import Call, load
from penstock.runtime.diagnostics.error_text import error_text
from penstock.runtime.diagnostics.run_events import RunEvent, read_events
from penstock.runtime.journal.step_id import is_step, step_name
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.redis.run_record import texts, whole
from penstock.runtime.types.run import Run, RunStatus

PAGE = 200
"""Outcomes read in one request."""


class StepStatus(StrEnum):
    """Where a step is."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    UNFINISHED = "unfinished"


_GOES_ON = {
    StepStatus.RUNNING: (RunStatus.RUNNING,),
    StepStatus.RETRYING: (RunStatus.RUNNING, RunStatus.SUSPENDED),  # a long wait leaves the process
}
"""Statuses of a run in which a step of its attempt is still in the state of its last event."""


@dataclass(slots=True)
class Step:
    """One call of a task in a run, as its events show it."""

    step_id: str
    name: str
    depth: int = 0
    """How many steps it is nested in."""
    status: StepStatus = StepStatus.RUNNING
    started_at: datetime | None = None
    """When it last began; None if that is no longer kept."""
    finished_at: datetime | None = None
    tries: int = 0
    """How often it was tried: once more after a try that failed, or was lost with its attempt.

    One that has waited goes on in the same try.
    """
    attempt: int = 1
    """The attempt of the run in which it was last tried."""
    error: str = ""
    inline: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def seconds(self) -> float | None:
        """How long it took, with its retries; None while it is not over."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


def read_steps(
    plans: RequestPlans, run: Run, events: Sequence[RunEvent] | None = None
) -> Plan[list[Step]]:
    """Read the steps of a run, each after the one it is nested in, else in order of their start.

    `events` are those of the run, if they were read already.
    """
    if events is None:
        events = yield from read_events(plans, run.run_id)
    names = yield ("HKEYS", plans.keys.checkpoints(run.run_id))
    recorded = [name for name in map(_text, names) if is_step(name)]
    away = yield from remote_steps(plans, run.run_id)
    steps = fold(events, recorded, run, {name: each.status for name, each in away.items()})
    yield from _read_errors(plans, run, steps)
    return steps


def remote_steps(plans: RequestPlans, run_id: str) -> Plan[dict[str, Run]]:
    """Read the runs that perform steps of a run on other queues now, by step id."""
    found: dict[str, Run] = {}
    performers = texts((yield ("HGETALL", plans.keys.remote(run_id))))
    for step_id, name in performers.items():
        if name.startswith("!"):
            continue
        fields = whole(name, texts((yield ("HGETALL", plans.keys.run(name)))))
        if "status" in fields:
            found[step_id] = Run.from_fields(name, fields)
    return found


def _read_errors(plans: RequestPlans, run: Run, steps: list[Step]) -> Plan[None]:
    ended = [step for step in steps if step.status is StepStatus.COMPLETED and not step.inline]
    codec = plans.codec.at("run", run.run_id)
    key = plans.keys.checkpoints(run.run_id)
    for at in range(0, len(ended), PAGE):
        page = ended[at : at + PAGE]
        names = tuple(step.step_id for step in page)
        for step, error in zip(page, (yield from _errors(key, names)), strict=True):
            if error is None:  # it failed the run, and is to be done again when that goes on
                _end(step, run.reason or "its outcome is not kept")
            else:
                _end(step, _read_error(_text(error), step.step_id, codec))


def _errors(key: str, names: tuple[str, ...]) -> Plan[list[bytes | None]]:
    """Read how steps ended; a user without the right to scripts reads the outcomes in full."""
    script = load("penstock.runtime.diagnostics", "outcomes")
    try:
        return cast("list[bytes | None]", (yield Call(script, (key,), names)))
    except RedisRightsError:
        outcomes: list[bytes | None] = yield ("HMGET", key, *names)
    return [text if text is None or text.startswith(b'{"error"') else b"" for text in outcomes]


def _read_error(error: str, step_id: str, codec: Codec) -> str:
    """Read the error of an outcome, from the script's reply or the outcome itself."""
    if error.startswith("{"):
        return error_text(codec.outcome(error, step_id).get("error"))
    return error.removeprefix("builtins.")


def fold(
    events: Iterable[Mapping[str, Any]],
    recorded: Iterable[str],
    run: Run,
    away: Mapping[str, RunStatus] | None = None,
) -> list[Step]:
    """Put steps together from events and from the names of recorded outcomes.

    `away` has the statuses of the runs that execute steps on other queues.
    """
    steps: dict[str, Step] = {}
    for event in events:
        if event["mode"].startswith("step.") and event["data"]["id"]:
            _apply(steps, event)
    for step_id in recorded:
        step = _step(steps, step_id)
        if step.status is StepStatus.RUNNING:  # the event of its end is no longer kept
            step.status = StepStatus.COMPLETED
    away = away or {}
    for step_id in away:
        _step(steps, step_id)
    waiting = {each for step_id in away for each in _lineage(step_id)}
    for step in steps.values():
        elsewhere = next((away[each] for each in _lineage(step.step_id) if each in away), None)
        if elsewhere is None and step.step_id in waiting and run.status is RunStatus.SUSPENDED:
            elsewhere = RunStatus.SUSPENDED
        _place(step, steps, run, elsewhere)
    return list(_by_parent(steps))


def _apply(steps: dict[str, Step], event: Mapping[str, Any]) -> None:
    data, time = event["data"], datetime.fromtimestamp(event["time"], UTC)
    step = _step(steps, data["id"])
    match event["mode"]:
        case "step.started":
            attempt = event.get("attempt", 1)
            goes_on = step.status in (StepStatus.RUNNING, StepStatus.WAITING)
            if not (goes_on and step.tries and step.attempt == attempt):
                step.tries += 1
            step.started_at, step.finished_at = time, None
            step.status, step.attempt, step.error = StepStatus.RUNNING, attempt, ""
        case "step.retry" if "error" in data:  # without one, an attempt begins it anew
            _try_again(step)
            step.status = StepStatus.RETRYING
            step.error = error_text(data["error"])
        case "step.interrupted":
            _try_again(step)
            step.status = StepStatus.WAITING
        case "step.finished":
            _try_again(step)
            step.finished_at = time
            step.inline = data.get("outcome")
            _end(step, error_text((step.inline or {}).get("error")))
        case _:
            pass


def _try_again(step: Step) -> None:
    """Count a try that began after a short wait by its next event: its begin has none."""
    if step.status is StepStatus.RETRYING:
        step.tries += 1


def _end(step: Step, error: str) -> None:
    step.status = StepStatus.FAILED if error else StepStatus.COMPLETED
    step.error = error


def _place(step: Step, steps: Mapping[str, Step], run: Run, away: RunStatus | None) -> None:
    """Fill in a step's depth, and whether it is still executing.

    `away` is the status of the run that executes the step, or its caller, elsewhere; the status of
    the run itself if the step waits for steps that it has called.
    """
    step.depth = sum(each in steps for each in _lineage(step.step_id)) - 1
    if away is not None and step.status in (StepStatus.RUNNING, StepStatus.RETRYING):
        if step.status is StepStatus.RUNNING and away is not RunStatus.RUNNING:
            queued = away is RunStatus.QUEUED
            step.status = StepStatus.QUEUED if queued else StepStatus.WAITING
    elif step.status in (StepStatus.RUNNING, StepStatus.RETRYING):
        if run.status not in _GOES_ON[step.status] or step.attempt != run.attempt:
            step.status = StepStatus.UNFINISHED
    elif step.status is StepStatus.WAITING and run.status is not RunStatus.SUSPENDED:
        step.status = StepStatus.UNFINISHED


def _by_parent(steps: Mapping[str, Step]) -> Iterator[Step]:
    children: dict[str, list[Step]] = {}
    for step in steps.values():
        parent = _parent(step.step_id)
        while parent and parent not in steps:
            parent = _parent(parent)
        children.setdefault(parent, []).append(step)
    todo = children.get("", [])[::-1]
    while todo:
        step = todo.pop()
        yield step
        todo += children.get(step.step_id, [])[::-1]


def _parent(step_id: str) -> str:
    """Return the id of the step that this one was called in, "" for the entrypoint's body."""
    parts = step_id.split("/")[:-1]
    while parts and parts[-1].startswith("~"):
        parts.pop()
    return "/".join(parts)


def _lineage(step_id: str) -> Iterator[str]:
    """Give the id of a step, and of each that it was called in, the nearest first."""
    while step_id:
        yield step_id
        step_id = _parent(step_id)


def _step(steps: dict[str, Step], step_id: str) -> Step:
    return steps.setdefault(step_id, Step(step_id, step_name(step_id)))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
