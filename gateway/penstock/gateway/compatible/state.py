"""The state of a thread: shown, changed, and as it was before."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.filters import kept_by
from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.asks import THREADS_READ, THREADS_UPDATE
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.selection import selected
from penstock.gateway.compatible.state_update import update_state
from penstock.gateway.compatible.state_view import checkpoint_view
from penstock.gateway.compatible.thread_bodies import (
    CheckpointState,
    History,
    HistoryQuery,
    PatchState,
    StateQuery,
    UpdateState,
)
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.runtime.types.state import CheckpointRef


async def show(call: Call[StateQuery, NoFields]) -> Response:
    """Show the newest state of a thread."""
    ref = CheckpointRef(call.path["thread_id"])
    return await _show(call, ref, call.query.subgraphs, call.query.select)


async def show_one(call: Call[StateQuery, NoFields]) -> Response:
    """Show the state of a thread at a checkpoint."""
    ref = CheckpointRef(call.path["thread_id"], call.path["checkpoint_id"])
    return await _show(call, ref, call.query.subgraphs, call.query.select)


async def show_at(call: Call[NoFields, CheckpointState]) -> Response:
    """Show the state of a thread, or of a subgraph, at a checkpoint."""
    ref = _ref(call.path["thread_id"], call.body.checkpoint)
    return await _show(call, ref, call.body.subgraphs, call.body.select)


async def update(call: Call[NoFields, UpdateState]) -> Response:
    """Change the state of a thread, from its newest checkpoint or another."""
    body, thread_id = call.body, call.path["thread_id"]
    record = await ThreadReader(call.client).record(thread_id)
    ref = _ref(thread_id, body.checkpoint or {}, body.checkpoint_id or "")
    made = await update_state(call.client, record, ref, body.values, body.as_node)
    checkpoint = checkpoint_view(made)
    checkpoint_id = made["configurable"]["checkpoint_id"]
    return answer_json({**made, "checkpoint": checkpoint, "checkpoint_id": checkpoint_id})


async def patch(call: Call[NoFields, PatchState]) -> Response:
    """Add to the metadata of a thread, as older clients do it."""
    reader, metadata = ThreadReader(call.client), kept_by(call.filter, call.body.metadata)
    await call.client.do(reader.records.merge(call.path["thread_id"], metadata))
    return Response(status_code=204)


async def history(call: Call[NoFields, History]) -> Response:
    """List the states of a thread, or of a subgraph, the newest first."""
    body = call.body
    namespace = _ref("", body.checkpoint or {}).namespace
    ref = CheckpointRef(call.path["thread_id"], body.before or "", namespace)
    return await _list(call, ref, body.limit, body.metadata or {}, body.select)


async def get_history(call: Call[HistoryQuery, NoFields]) -> Response:
    """List the states of a thread, the newest first."""
    ref = CheckpointRef(call.path["thread_id"], call.query.before or "")
    return await _list(call, ref, call.query.limit, {}, None)


async def _show(
    call: Call[Any, Any], ref: CheckpointRef, subgraphs: bool, select: Sequence[str] | None
) -> Response:
    reader = ThreadReader(call.client)
    record = await reader.record(ref.thread_id)
    read = await reader.state(ref, subgraphs=subgraphs)
    return answer_json(selected(reader.shown(read, record), select, inner="values"))


async def _list(
    call: Call[Any, Any],
    ref: CheckpointRef,
    limit: int,
    wanted: Mapping[str, Any],
    select: Sequence[str] | None,
) -> Response:
    reader = ThreadReader(call.client)
    record = await reader.record(ref.thread_id)
    states = await reader.history(ref, wanted, limit)
    shown = [selected(reader.shown(each, record), select, inner="values") for each in states]
    return answer_json(shown)


def _ref(thread_id: str, checkpoint: Mapping[str, Any], checkpoint_id: str = "") -> CheckpointRef:
    return CheckpointRef(
        thread_id,
        str(checkpoint.get("checkpoint_id") or checkpoint_id),
        str(checkpoint.get("checkpoint_ns") or ""),
    )


_STATE: Final = "/threads/{thread_id}/state"
_HISTORY: Final = "/threads/{thread_id}/history"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "GET", _STATE, Role.VIEWER, StateQuery, NoFields, show, has_values=True, asks=THREADS_READ
    ),
    Endpoint("POST", _STATE, Role.OPERATOR, NoFields, UpdateState, update, asks=THREADS_UPDATE),
    Endpoint("PATCH", _STATE, Role.CLIENT, NoFields, PatchState, patch, 204, asks=THREADS_UPDATE),
    Endpoint(
        "POST",
        f"{_STATE}/checkpoint",
        Role.VIEWER,
        NoFields,
        CheckpointState,
        show_at,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "GET",
        f"{_STATE}/{{checkpoint_id}}",
        Role.VIEWER,
        StateQuery,
        NoFields,
        show_one,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "GET",
        _HISTORY,
        Role.VIEWER,
        HistoryQuery,
        NoFields,
        get_history,
        has_values=True,
        asks=THREADS_READ,
    ),
    Endpoint(
        "POST",
        _HISTORY,
        Role.VIEWER,
        NoFields,
        History,
        history,
        has_values=True,
        asks=THREADS_READ,
    ),
)
