"""One run: enqueue it, look at it, follow it, answer it, end it, do it again."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.bulk_access import check_repeat
from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError
from penstock.gateway.event_stream import Events, event_response
from penstock.gateway.native.asks import ENQUEUE, RUN_AGAIN, RUN_CHANGE, RUN_READ
from penstock.gateway.native.begin_run import begin_run, check_own_name
from penstock.gateway.native.facts import FACTS, facts
from penstock.gateway.native.models import (
    Answer,
    EventsQuery,
    Fork,
    NewRun,
    Rerun,
    ResultQuery,
    Resume,
    RunQuery,
)
from penstock.gateway.native.resume_run import resume_run
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.diagnostics.run_report import as_object, read_report
from penstock.runtime.errors import RunCancelledError, RunFailedError
from penstock.runtime.types.interrupt import NOTHING
from penstock.runtime.types.run import RunStatus


async def enqueue(call: Call[Empty, NewRun]) -> Response:
    """Enqueue a run."""
    return _named(await begin_run(call))


async def show(call: Call[RunQuery, Empty]) -> Response:
    """Show a run: its record, its steps, what it waits for, its result."""
    plan = read_report(
        call.client.plans,
        call.path["run_id"],
        has_input=call.query.input,
        has_values=call.query.values,
    )
    report = await call.client.do(plan)
    return answer_json(as_object(report))


async def events(call: Call[EventsQuery, Empty]) -> Response:
    """Follow a run: its events as server-sent events, from the first or after a cursor on."""
    modes = call.query.mode
    if FACTS in modes and len(modes) > 1:
        raise RequestError(422, "mode: facts are everything; ask for them alone.")

    def streamed(after: int) -> Events:
        if FACTS in modes:
            return facts(call.client, run.run_id, after)
        return run.stream(modes, after=after, subgraphs=call.query.subgraphs)

    run = AsyncRunHandle(call.client, call.path["run_id"], "")  # of which thread is not asked here
    given = call.headers.get("last-event-id") or str(call.query.after)
    return await event_response(call.shared, call.identity, run.run_id, given, streamed)


async def result(call: Call[ResultQuery, Empty]) -> Response:
    """Wait until a run is over or asks something; 202 if it is not so after the timeout."""
    run = await call.client.get(call.path["run_id"])
    found: dict[str, Any] = {"run_id": run.run_id, "thread_id": run.thread_id}
    clock = asyncio.get_running_loop().time
    deadline = clock() + call.query.timeout
    while True:
        try:
            with suppress(RunFailedError, RunCancelledError):
                await run.result(max(deadline - clock(), 0.0))
        except TimeoutError:
            return answer_json(found | {"status": await run.status()}, 202)
        if (ended := await _ended(call.client, run)) is not None:
            return answer_json(found | ended)


async def _ended(client: AsyncClient, run: AsyncRunHandle) -> dict[str, Any] | None:
    """Return what came of a run, all read of one moment; None if it is neither over nor asks."""
    info = await run.info()
    match info.status:
        case RunStatus.COMPLETED:
            value = await client.do(client.plans.outcome(info))
            return {"status": info.status, "result": value}
        case RunStatus.FAILED | RunStatus.CANCELLED:
            return {"status": info.status, "reason": info.reason}
        case _ if info.asks:
            questions = await client.do(client.plans.interrupts(run.run_id))
            return {"status": info.status, "interrupts": questions}
        case _:  # it was answered, or resumed, meanwhile
            return None


async def answer(call: Call[Empty, Answer]) -> Response:
    """Answer the question of a run, or several by their ids."""
    run = await call.client.get(call.path["run_id"])
    await resume_run(call, run.run_id, call.body.given)
    return _named(run)


async def resume(call: Call[Empty, Resume]) -> Response:
    """Let a failed run continue, with the steps that it has recorded."""
    run = await call.client.get(call.path["run_id"])
    await check_repeat(call.identity, run)
    if call.body.accept or call.body.forget:
        await check_own_name(call, run.run_id)
        await run.resume(accept=call.body.accept, forget=call.body.forget)
    else:
        await resume_run(call, run.run_id)
    return _named(run)


async def cancel(call: Call[Empty, Empty]) -> Response:
    """Cancel a run; it may be `running` for a moment more."""
    run = await call.client.get(call.path["run_id"])
    status = await run.cancel()
    return answer_json({"run_id": run.run_id, "thread_id": run.thread_id, "status": status}, 202)


async def rerun(call: Call[Empty, Rerun]) -> Response:
    """Enqueue a run of the same input, or of another one."""
    run = await call.client.get(call.path["run_id"])
    await check_repeat(call.identity, run)
    if call.body.given is not NOTHING:
        await check_own_name(call, run.run_id)
    return _named(await run.rerun(call.body.given))


async def fork(call: Call[Empty, Fork]) -> Response:
    """Enqueue a copy of a run that has its first steps behind it."""
    run = await call.client.get(call.path["run_id"])
    await check_repeat(call.identity, run)
    thread = call.client.thread(run.thread_id)
    return _named(await thread.fork(run, after_step=call.body.after_step))


def _named(run: AsyncRunHandle) -> Response:
    return answer_json({"run_id": run.run_id, "thread_id": run.thread_id}, 202)


_RUN: Final = "/api/runs/{run_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("POST", "/api/runs", Role.CLIENT, Empty, NewRun, enqueue, 202, asks=ENQUEUE),
    Endpoint("GET", _RUN, Role.VIEWER, RunQuery, Empty, show, has_values=True, asks=RUN_READ),
    Endpoint(
        "GET",
        f"{_RUN}/events",
        Role.VIEWER,
        EventsQuery,
        Empty,
        events,
        has_values=True,
        asks=RUN_READ,
    ),
    Endpoint(
        "GET",
        f"{_RUN}/result",
        Role.VIEWER,
        ResultQuery,
        Empty,
        result,
        has_values=True,
        asks=RUN_READ,
    ),
    Endpoint("POST", f"{_RUN}/answer", Role.CLIENT, Empty, Answer, answer, 202, asks=RUN_AGAIN),
    Endpoint("POST", f"{_RUN}/cancel", Role.CLIENT, Empty, Empty, cancel, 202, asks=RUN_CHANGE),
    Endpoint("POST", f"{_RUN}/resume", Role.OPERATOR, Empty, Resume, resume, 202, asks=RUN_AGAIN),
    Endpoint("POST", f"{_RUN}/rerun", Role.OPERATOR, Empty, Rerun, rerun, 202, asks=RUN_AGAIN),
    Endpoint("POST", f"{_RUN}/fork", Role.OPERATOR, Empty, Fork, fork, 202, asks=RUN_AGAIN),
)
