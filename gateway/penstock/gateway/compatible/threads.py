"""Threads: made, changed, copied, deleted."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.filters import kept_by
from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import (
    is_own_thread,
    make_thread,
    metadata_of_new,
    thread_taken,
)
from penstock.gateway.compatible.asks import (
    THREADS_CREATE,
    THREADS_DELETE,
    THREADS_READ,
    THREADS_UPDATE,
    asks_each,
)
from penstock.gateway.compatible.ids import new_id
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.state_update import check_supersteps, make_supersteps
from penstock.gateway.compatible.thread_bodies import (
    NewThread,
    PatchThread,
    Prune,
    ThreadQueryFields,
    seconds_of,
)
from penstock.gateway.compatible.thread_deletion import delete_thread
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.runtime.errors import ThreadNotFoundError

MINIMAL: Final = "return=minimal"


async def create(call: Call[NoFields, NewThread]) -> Response:
    """Make a thread; with `if_exists` do_nothing, one that is there stays as it is."""
    body, reader = call.body, ThreadReader(call.client)
    thread_id = body.thread_id or new_id()
    plan = reader.records.create(
        thread_id,
        body.metadata or {},
        if_exists=body.if_exists or "raise",
        ttl=seconds_of(body.ttl),
    )
    supersteps = body.supersteps or []
    await check_supersteps(call.client, body.metadata or {}, supersteps)
    is_made = await (_make_own(call, thread_id) if call.filter else call.client.do(plan))
    if is_made:
        await make_supersteps(call.client, await reader.record(thread_id), supersteps)
    return answer_json(await reader.thread(thread_id))


async def _make_own(call: Call[NoFields, NewThread], thread_id: str) -> bool:
    """Make a thread for a user; tells whether there was none.

    Raises:
        ThreadExistsError: there is one, which is to stay so or is not for the user.
    """
    body = call.body
    is_made = await make_thread(call, thread_id, body.metadata or {}, seconds_of(body.ttl))
    if not is_made and body.if_exists != "do_nothing":
        raise thread_taken(thread_id)
    return is_made


async def get(call: Call[ThreadQueryFields, NoFields]) -> Response:
    """Show a thread, with its newest state."""
    wanted = [name for each in call.query.include for name in each.split(",")]
    reader = ThreadReader(call.client)
    return answer_json(await reader.thread(call.path["thread_id"], has_ttl="ttl" in wanted))


async def patch(call: Call[NoFields, PatchThread]) -> Response:
    """Add to the metadata of a thread, or say how long it is kept."""
    thread_id, reader = call.path["thread_id"], ThreadReader(call.client)
    ttl = seconds_of(call.body.ttl)
    metadata = kept_by(call.filter, call.body.metadata or {})
    await call.client.do(reader.records.merge(thread_id, metadata, ttl))
    if MINIMAL in call.headers.get("prefer", ""):
        return Response(status_code=204)
    return answer_json(await reader.thread(thread_id))


async def delete(call: Call[NoFields, NoFields]) -> Response:
    """Delete a thread, with its history; runs that are at work on it are cancelled first."""
    thread_id = call.path["thread_id"]
    await ThreadReader(call.client).record(thread_id)
    await delete_thread(call.client, thread_id)
    return Response(status_code=204)


async def copy(call: Call[NoFields, NoFields]) -> Response:
    """Copy a thread, with its history and its metadata."""
    source, reader, target = call.path["thread_id"], ThreadReader(call.client), new_id()
    record = await reader.record(source)
    metadata = await metadata_of_new(call, target, record.metadata)
    try:
        await call.client.thread(source).copy(target)
    except ThreadNotFoundError:  # nothing ever ran on it
        pass
    kept = reader.records.create(target, metadata, if_exists="do_nothing", ttl=record.ttl)
    await call.client.do(kept)
    return answer_json(await reader.thread(target))


async def prune(call: Call[NoFields, Prune]) -> Response:
    """Delete several threads, or their states but the newest; the unknown are passed over.

    Those that a run is open on keep their states.
    """
    pruned, is_partial = 0, call.body.strategy == "keep_latest"
    for thread_id in dict.fromkeys(call.body.thread_ids):
        if not await is_own_thread(call, "update" if is_partial else "delete", thread_id):
            continue
        if is_partial:
            pruned += await call.client.do(call.client.threads.keep_latest(thread_id))
        else:
            await delete_thread(call.client, thread_id)
            pruned += 1
    return answer_json({"pruned_count": pruned})


_THREAD: Final = "/threads/{thread_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("POST", "/threads", Role.CLIENT, NoFields, NewThread, create, asks=THREADS_CREATE),
    Endpoint("POST", "/threads/prune", Role.ADMIN, NoFields, Prune, prune, asks=asks_each),
    Endpoint(
        "GET",
        _THREAD,
        Role.VIEWER,
        ThreadQueryFields,
        NoFields,
        get,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint("PATCH", _THREAD, Role.CLIENT, NoFields, PatchThread, patch, asks=THREADS_UPDATE),
    Endpoint("DELETE", _THREAD, Role.ADMIN, NoFields, NoFields, delete, 204, asks=THREADS_DELETE),
    Endpoint("POST", f"{_THREAD}/copy", Role.OPERATOR, NoFields, NoFields, copy, asks=THREADS_READ),
)
