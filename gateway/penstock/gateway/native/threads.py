"""Threads: their state and history, changes, copies."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.compatible.asks import THREADS_DELETE, THREADS_READ, THREADS_UPDATE
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.native.asks import THREAD_ANSWER
from penstock.gateway.native.copy_thread import copy_own
from penstock.gateway.native.models import Answer, Copy, HistoryQuery, StateQuery, Update
from penstock.gateway.native.resume_run import resume_run
from penstock.runtime.errors import ResumeError
from penstock.runtime.types.state import checkpoint_id_of


async def show(call: Call[StateQuery, Empty]) -> Response:
    """Show the state of a thread, the newest or that of a checkpoint."""
    thread = call.client.thread(call.path["thread_id"])
    return answer_json(await thread.state(call.query.checkpoint or ""))


async def history(call: Call[HistoryQuery, Empty]) -> Response:
    """List the states of a thread, the newest first."""
    thread, limit = call.client.thread(call.path["thread_id"]), call.query.limit
    states = [state async for state in thread.history(before=call.query.before, limit=limit)]
    more = checkpoint_id_of(states[-1].config) if len(states) == limit else None
    return answer_json({"states": states, "before": more})


async def update(call: Call[Empty, Update]) -> Response:
    """Change the state of a thread."""
    thread, body = call.client.thread(call.path["thread_id"]), call.body
    made = await thread.update(body.values, body.checkpoint or "", as_node=body.as_node)
    return answer_json(made)


async def answer(call: Call[Empty, Answer]) -> Response:
    """Answer the run of a thread that asks something."""
    client, thread_id = call.client, call.path["thread_id"]
    run_id = await client.do(client.plans.last_run(thread_id))
    if run_id is None:
        raise ResumeError(f"thread {thread_id!r} has no run that waits for an answer.")
    await resume_run(call, run_id, call.body.given)
    return answer_json({"run_id": run_id, "thread_id": thread_id}, 202)


async def copy(call: Call[Empty, Copy]) -> Response:
    """Copy a thread, with its history, under another name."""
    source, target = call.path["thread_id"], call.body.target
    if call.user is None:
        await call.client.thread(source).copy(target)
    else:
        await copy_own(call, source, target)
    return answer_json({"thread_id": target}, 201)


async def delete(call: Call[Empty, Empty]) -> Response:
    """Delete a thread, with its history."""
    await call.client.thread(call.path["thread_id"]).delete()
    return Response(status_code=204)


_THREAD: Final = "/api/threads/{thread_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "GET", _THREAD, Role.VIEWER, StateQuery, Empty, show, has_values=True, asks=THREADS_READ
    ),
    Endpoint(
        "GET",
        f"{_THREAD}/history",
        Role.VIEWER,
        HistoryQuery,
        Empty,
        history,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint("PATCH", _THREAD, Role.OPERATOR, Empty, Update, update, asks=THREADS_UPDATE),
    Endpoint(
        "POST", f"{_THREAD}/answer", Role.CLIENT, Empty, Answer, answer, 202, asks=THREAD_ANSWER
    ),
    Endpoint("POST", f"{_THREAD}/copy", Role.OPERATOR, Empty, Copy, copy, 201, asks=THREADS_READ),
    Endpoint("DELETE", _THREAD, Role.ADMIN, Empty, Empty, delete, 204, asks=THREADS_DELETE),
)
