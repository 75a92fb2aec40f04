"""The questions that runs ask, to be answered here."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.actions import NEEDS, refusal_of
from penstock.gateway.dashboard.answer_form import form_of
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.native.asks import FIND_RUNS
from penstock.gateway.native.own_runs import find_runs
from penstock.runtime.redis.plans.together import together
from penstock.runtime.types.run import RunStatus

PAGE: Final = 50
"""Suspended runs that are read for a page; not all of them ask."""


async def questions(visit: Visit) -> Response:
    """List the questions of runs, the newest first."""
    client = visit.client
    page = await find_runs(
        client, visit.filter, PAGE, visit.query.get("after"), status=RunStatus.SUSPENDED
    )
    runs = [run for run in page if run.asks]
    found = await client.do(together(client.plans.interrupts(run.run_id) for run in runs))
    asked = [
        (run, form_of(question, has_values=visit.sees_values))
        for run, questions in zip(runs, found, strict=True)
        for question in questions
    ]
    refusal = refusal_of(visit.identity, NEEDS["answer"])
    return visit.page("questions", asked=asked, after=page.after, refusal=refusal)


SCREENS: Final[Sequence[Screen]] = (Screen("GET", "/questions", Role.VIEWER, questions, FIND_RUNS),)
