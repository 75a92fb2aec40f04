"""What is done with one run: answered, cancelled, resumed, done again, forked."""

from __future__ import annotations

__all__ = ["SCREENS"]

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from penstock.gateway.auth.bulk_access import check_repeat
from penstock.gateway.dashboard.actions import AGAIN, NEEDS
from penstock.gateway.dashboard.answer_form import ROOT
from penstock.gateway.dashboard.rerun_form import EDITED, read_edited
from penstock.gateway.dashboard.schema_form import read_form
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.screens.run import show
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError, status_of
from penstock.gateway.native.asks import RUN_AGAIN, RUN_CHANGE
from penstock.gateway.native.begin_run import check_own_name
from penstock.gateway.native.resume_run import resume_run
from penstock.publisher.errors import PenstockError
from penstock.runtime.client.run import AsyncRunHandle

Act = Callable[[Visit, AsyncRunHandle], Awaitable[AsyncRunHandle]]
"""Does something with a run, and returns the run that is to be seen then."""


async def answer(visit: Visit, run: AsyncRunHandle) -> AsyncRunHandle:
    """Answer one of its questions."""
    questions = await visit.client.do(visit.client.plans.interrupts(run.run_id))
    asked = visit.form.get("question", "")
    question = next((each for each in questions if each.id == asked), None)
    if question is None:
        raise RequestError(409, "this question is not open: it was answered, or the run is over.")
    given = {question.id: read_form(question.response_schema, visit.form, ROOT)}
    await resume_run(visit.call(), run.run_id, given)
    return run


async def cancel(visit: Visit, run: AsyncRunHandle) -> AsyncRunHandle:
    """Cancel it; it may be running for a moment more."""
    await run.cancel()
    return run


async def resume(visit: Visit, run: AsyncRunHandle) -> AsyncRunHandle:
    """Let a failed run go on."""
    await resume_run(visit.call(), run.run_id)
    return run


async def rerun(visit: Visit, run: AsyncRunHandle) -> AsyncRunHandle:
    """Enqueue a run of the same input, or of what somebody has made of it."""
    if EDITED not in visit.form:
        return await run.rerun()
    await check_own_name(visit.call(), run.run_id)
    return await run.rerun(await read_edited(visit, await run.info()))


async def fork(visit: Visit, run: AsyncRunHandle) -> AsyncRunHandle:
    """Enqueue a copy of it that has its first steps behind it."""
    thread = visit.client.thread(run.thread_id)
    return await thread.fork(run, after_step=visit.form.get("after_step") or None)


def _screen(act: Act) -> Screen:
    async def acted(visit: Visit) -> Response:
        run = await visit.client.get(visit.path["run_id"])
        if name in AGAIN and visit.identity is not None:
            await check_repeat(visit.identity, run)
        try:
            made = await act(visit, run)
        except PenstockError as error:
            if status_of(error) is None:
                raise
            return await show(visit, error, visit.form)
        return visit.go(f"/runs/{quote(made.run_id, safe='')}")

    name = act.__name__
    return Screen(
        "POST",
        f"/runs/{{run_id}}/{name}",
        NEEDS[name],
        acted,
        RUN_CHANGE if act is cancel else RUN_AGAIN,
    )


SCREENS: Final[Sequence[Screen]] = tuple(
    _screen(act) for act in (answer, cancel, resume, rerun, fork)
)
