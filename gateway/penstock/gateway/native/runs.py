"""One run: enqueue it, look at it, follow it, answer it, end it, do it again."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError
from penstock.gateway.event_stream import EventStream
from penstock.gateway.native.facts import FACTS, facts
from penstock.gateway.native.models import (
    Answer,
    EventsQuery,
    Fork,
    NewRun,
    ResultQuery,
    Resume,
    RunQuery,
)
from penstock.runtime.client.run import AsyncRunHandle
from penstock.runtime.diagnostics.run_report import as_object, read_report
from penstock.runtime.errors import RunCancelledError, RunError, RunFailedError
from penstock.runtime.types.run import RunStatus

AGAIN: Final = 204
"""The status that keeps an EventSource from coming back: it has seen the end."""


async def enqueue(call: Call[Empty, NewRun]) -> Response:
    """Enqueue a run."""
    given = call.body.model_dump(exclude={"entrypoint", "input"})
    run = await call.client.enqueue(call.body.entrypoint, call.body.input, **given)
    return _named(run)


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
    run = AsyncRunHandle(call.client, call.path["run_id"], "")  # of which thread is not asked here
    cursor = await run.cursor(call.headers.get("last-event-id") or str(call.query.after))
    if cursor is None:
        return Response(status_code=AGAIN)
    modes = call.query.mode
    if FACTS not in modes:
        stream = run.stream(modes, after=cursor, subgraphs=call.query.subgraphs)
        return EventStream(stream, call.shared, call.identity)
    if len(modes) > 1:
        raise RequestError(422, "mode: facts are everything; ask for them alone.")
    return EventStream(facts(call.client, run.run_id, cursor), call.shared, call.identity)


async def result(call: Call[ResultQuery, Empty]) -> Response:
    """Wait until a run is over or asks something; 202 if it is not so after the timeout."""
    run = await call.client.get(call.path["run_id"])
    found: dict[str, Any] = {"run_id": run.run_id, "thread_id": run.thread_id}
    try:
        value = await run.result(call.query.timeout)
    except (RunFailedError, RunCancelledError):
        info = await run.info()
        return answer_json(found | {"status": info.status, "reason": info.reason})
    except RunError:
        raise
    except TimeoutError:
        return answer_json(found | {"status": await run.status()}, 202)
    info = await run.info()
    if info.status is RunStatus.COMPLETED:
        return answer_json(found | {"status": info.status, "result": value})
    questions = await call.client.do(call.client.plans.interrupts(run.run_id))
    return answer_json(found | {"status": info.status, "interrupts": questions})


async def answer(call: Call[Empty, Answer]) -> Response:
    """Answer the question of a run, or several by their ids."""
    run = await call.client.get(call.path["run_id"])
    await run.resume(call.body.given)
    return _named(run)


async def resume(call: Call[Empty, Resume]) -> Response:
    """Let a failed run continue, with the steps that it has recorded."""
    run = await call.client.get(call.path["run_id"])
    await run.resume(accept=call.body.accept, forget=call.body.forget)
    return _named(run)


async def cancel(call: Call[Empty, Empty]) -> Response:
    """Cancel a run; it may be `running` for a moment more."""
    run = await call.client.get(call.path["run_id"])
    status = await run.cancel()
    return answer_json({"run_id": run.run_id, "thread_id": run.thread_id, "status": status}, 202)


async def rerun(call: Call[Empty, Empty]) -> Response:
    """Enqueue a run of the same input."""
    run = await call.client.get(call.path["run_id"])
    return _named(await run.rerun())


async def fork(call: Call[Empty, Fork]) -> Response:
    """Enqueue a copy of a run that has its first steps behind it."""
    run = await call.client.get(call.path["run_id"])
    thread = call.client.thread(run.thread_id)
    return _named(await thread.fork(run, after_step=call.body.after_step))


def _named(run: AsyncRunHandle) -> Response:
    return answer_json({"run_id": run.run_id, "thread_id": run.thread_id}, 202)


_RUN: Final = "/api/runs/{run_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("POST", "/api/runs", Role.CLIENT, Empty, NewRun, enqueue, 202),
    Endpoint("GET", _RUN, Role.VIEWER, RunQuery, Empty, show, has_values=True),
    Endpoint("GET", f"{_RUN}/events", Role.VIEWER, EventsQuery, Empty, events, has_values=True),
    Endpoint("GET", f"{_RUN}/result", Role.VIEWER, ResultQuery, Empty, result, has_values=True),
    Endpoint("POST", f"{_RUN}/answer", Role.CLIENT, Empty, Answer, answer, 202),
    Endpoint("POST", f"{_RUN}/cancel", Role.CLIENT, Empty, Empty, cancel, 202),
    Endpoint("POST", f"{_RUN}/resume", Role.OPERATOR, Empty, Resume, resume, 202),
    Endpoint("POST", f"{_RUN}/rerun", Role.OPERATOR, Empty, Empty, rerun, 202),
    Endpoint("POST", f"{_RUN}/fork", Role.OPERATOR, Empty, Fork, fork, 202),
)
