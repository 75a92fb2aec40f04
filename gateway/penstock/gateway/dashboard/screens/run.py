"""One run: what it did, what it waits for, what can be done."""

from __future__ import annotations

__all__ = ["SCREENS", "show"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import PlainTextResponse, Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.actions import actions_of
from penstock.gateway.dashboard.answer_form import form_of
from penstock.gateway.dashboard.facts_page import FactLine, read_facts
from penstock.gateway.dashboard.hidden_report import hidden_history, hidden_report
from penstock.gateway.dashboard.rerun_form import read_rerun_form
from penstock.gateway.dashboard.run_rows import seconds_of
from penstock.gateway.dashboard.schema_form import FormError
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.step_detail import StepDetail, finished_before, read_details
from penstock.gateway.dashboard.templates import as_text
from penstock.gateway.dashboard.timeline import timeline
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError, status_of
from penstock.gateway.native.asks import RUN_READ
from penstock.publisher.errors import PenstockError
from penstock.runtime.diagnostics.history import history
from penstock.runtime.diagnostics.run_report import RunReport, read_report
from penstock.runtime.diagnostics.traceback import own_traceback

TABS: Final = ("timeline", "stream", "values", "attempts", "facts")

OPEN_STEPS: Final = 20
"""Steps whose details one page shows."""


@dataclass(frozen=True, slots=True)
class ForkPreview:
    """What a fork after a step would do."""

    after: str
    reused: Sequence[str]
    """The ids of the steps that it does not execute again."""


async def run(visit: Visit) -> Response:
    """Show a run."""
    return await show(visit)


async def show(
    visit: Visit, refused: PenstockError | None = None, given: Mapping[str, str] | None = None
) -> Response:
    """Show a run, after something that was refused with the error and the form that was given."""
    client, tab = visit.client, visit.query.get("tab", TABS[0])
    # Read before the report: the page is told of whatever has happened since.
    last_seq = await client.do(client.plans.last_seq(visit.path["run_id"]))
    report = await _report(visit, has_values=tab == "values" and visit.sees_values)
    past = history(report.events, report.deaths)
    if not visit.sees_values:
        report, past = hidden_report(report), hidden_history(past)
    fork = _fork(visit, report)
    facts, after = await _facts(visit) if tab == "facts" else ((), 0)
    return visit.page(
        "run",
        200 if refused is None else status_of(refused) or 500,
        error="" if refused is None else str(refused),
        problems=refused.problems if isinstance(refused, FormError) else {},
        given=given or {},
        report=report,
        run=report.run,
        seconds=seconds_of(report.run),
        actions=actions_of(report.run, visit.identity),
        questions=[
            form_of(each, has_values=visit.sees_values) for each in report.waiting.questions
        ],
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        timeline=timeline(report.run, report.steps, past, wanted=visit.all("step")),
        past=past,
        details=await _details(visit, report),
        open_steps=visit.all("step"),
        fork=fork,
        again=await read_rerun_form(visit, report.run),
        facts=facts,
        after=after,
        next_after=facts[-1].seq if facts and facts[-1].seq < last_seq else 0,
        traceback=list(own_traceback(report.outcome)),
        last_seq=last_seq,
    )


async def value(visit: Visit) -> Response:
    """Show a value of a run as a whole, as text."""
    visit.check_values()
    report = await _report(visit, has_values=True)
    name = visit.query.get("name", "")
    found = {**report.values, **({"result": report.outcome["value"]} if _ended(report) else {})}
    if name not in found:
        raise RequestError(404, f"run {report.run.run_id!r} has no value {name!r}.")
    return PlainTextResponse(as_text(found[name]), headers={"Cache-Control": "no-store"})


def _ended(report: RunReport) -> bool:
    return "value" in report.outcome


async def _report(visit: Visit, *, has_values: bool) -> RunReport:
    plan = read_report(
        visit.client.plans, visit.path["run_id"], has_input=has_values, has_values=has_values
    )
    return await visit.client.do(plan)


async def _details(visit: Visit, report: RunReport) -> Mapping[str, StepDetail]:
    names = visit.all("step")[:OPEN_STEPS]
    if not names or not visit.sees_values:
        return {}
    return await visit.client.do(read_details(visit.client.plans, report, names))


def _fork(visit: Visit, report: RunReport) -> ForkPreview | None:
    after = visit.query.get("fork", "")
    reused = finished_before(report.events, after) if after else []
    return ForkPreview(after, reused) if reused else None


async def _facts(visit: Visit) -> tuple[Sequence[FactLine], int]:
    after = visit.number("after") or 0
    client, run_id = visit.client, visit.path["run_id"]
    plan: Any = read_facts(client.plans, run_id, after, has_values=visit.sees_values)
    return await client.do(plan), after


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/runs/{run_id}", Role.VIEWER, run, RUN_READ),
    Screen("GET", "/runs/{run_id}/value", Role.VIEWER, value, RUN_READ),
)
