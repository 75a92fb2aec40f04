"""Everything about one run, put together for whoever looks at it."""

from __future__ import annotations

__all__ = ["RunReport", "as_object", "read_report"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.diagnostics.run_events import RunEvent, read_events
from penstock.runtime.diagnostics.steps import Step, read_steps
from penstock.runtime.diagnostics.values import read_input, read_values
from penstock.runtime.diagnostics.waiting import Waiting, read_waiting
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.types.run import Run, RunStatus


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run, its steps, what it waits for, and its outcome."""

    run: Run
    deaths: Sequence[str]
    waiting: Waiting
    steps: Sequence[Step]
    outcome: Mapping[str, Any]
    """`value`, or `error` as the codec describes it; empty while there is none."""
    values: Mapping[str, Any]
    """What was asked for of the recorded values: `input`, and those of steps by their id."""
    events: Sequence[RunEvent]
    """The stored events, of which the steps are made."""


def read_report(
    plans: RequestPlans, run_id: str, *, has_input: bool = False, has_values: bool = False
) -> Plan[RunReport]:
    """Read everything that is shown of a run.

    Raises:
        RunNotFoundError: there is no such run.
    """
    run = yield from plans.info(run_id)
    reasons = yield (
        "HMGET",
        plans.keys.run(run_id),
        *(f"death:{number}" for number in range(1, max(run.crashes, 1) + 1)),
    )
    deaths = [reason.decode("utf-8", "replace") for reason in reasons if reason is not None]
    outcome: Mapping[str, Any] = {}
    if run.status in (RunStatus.COMPLETED, RunStatus.FAILED):
        text = yield ("HGET", plans.keys.checkpoints(run_id), "result")
        if text is not None:
            outcome = plans.codec.at("run", run_id).outcome(text, "result")
    waiting = yield from read_waiting(plans, run)
    events = yield from read_events(plans, run_id)
    steps = yield from read_steps(plans, run, events)
    values: dict[str, Any] = {}
    if has_input:
        values["input"] = yield from read_input(plans, run)
    if has_values:
        values |= yield from read_values(plans, run, [step.step_id for step in steps])
    return RunReport(run, deaths[: run.crashes], waiting, steps, outcome, values, events)


def as_object(report: RunReport) -> dict[str, Any]:
    """Write a report as JSON: the run's record, and what is known beside it."""
    waiting = report.waiting
    found: dict[str, Any] = plain(report.run)
    found["deaths"] = report.deaths
    found["waits_for"] = waiting.waits_for
    found["interrupts"] = waiting.questions
    if "value" in report.outcome:
        found["result"] = report.outcome["value"]
    if "input" in report.values:
        found["input"] = report.values["input"]
    found["steps"] = [_step_object(step, report.values) for step in report.steps]
    return found


def _step_object(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plain(step)
    del found["inline"]
    found["seconds"] = step.seconds
    return found | ({"value": values[step.step_id]} if step.step_id in values else {})
