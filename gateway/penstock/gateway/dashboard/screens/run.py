"""One run: what it did, what it waits for, what can be done."""

from __future__ import annotations

__all__ = ["SCREENS", "show"]

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import PlainTextResponse, Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.actions import actions_of
from penstock.gateway.dashboard.answer_form import fields_of
from penstock.gateway.dashboard.run_rows import seconds_of
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.templates import as_text
from penstock.gateway.dashboard.timeline import timeline
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError
from penstock.runtime.diagnostics.run_report import RunReport, read_report
from penstock.runtime.diagnostics.traceback import own_traceback

TABS: Final = ("timeline", "stream", "values", "attempts")


async def run(visit: Visit) -> Response:
    """Show a run."""
    return await show(visit)


async def show(
    visit: Visit, status: int = 200, error: str = "", given: Mapping[str, str] | None = None
) -> Response:
    """Show a run, after something that was refused with the error and the form that was given."""
    tab = visit.query.get("tab", TABS[0])
    # Read before the report: the page is told of whatever has happened since.
    last_seq = await visit.client.do(visit.client.plans.last_seq(visit.path["run_id"]))
    report = await _report(visit, has_values=tab == "values")
    return visit.page(
        "run",
        status,
        error=error,
        given=given or {},
        report=report,
        run=report.run,
        seconds=seconds_of(report.run),
        actions=actions_of(report.run, visit.identity),
        questions=[(each, fields_of(each.response_schema)) for each in report.waiting.questions],
        tab=tab if tab in TABS else TABS[0],
        tabs=TABS,
        timeline=timeline(report.run, report.steps),
        traceback=list(own_traceback(report.outcome)),
        last_seq=last_seq,
    )


async def value(visit: Visit) -> Response:
    """Show a value of a run as a whole, as text."""
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


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/runs/{run_id}", Role.VIEWER, run),
    Screen("GET", "/runs/{run_id}/value", Role.VIEWER, value),
)
