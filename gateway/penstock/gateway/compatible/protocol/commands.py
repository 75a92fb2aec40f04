"""Does what commands of the thread protocol ask."""

from __future__ import annotations

__all__ = ["execute"]

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from penstock.gateway.call import Call, checked
from penstock.gateway.compatible.access import check_leg, check_thread_or_run
from penstock.gateway.compatible.asks import THREADS_CREATE_RUN, THREADS_READ
from penstock.gateway.compatible.legs import FoundLeg, find_leg, newest_leg
from penstock.gateway.compatible.protocol.command import (
    Cancel,
    Checkpoints,
    CommandBody,
    Fork,
    GetState,
    GetTree,
    Respond,
    StartRun,
    failure,
    success,
)
from penstock.gateway.compatible.protocol.thread_events import place_of_end, place_of_leg
from penstock.gateway.compatible.request_model import NoFields, RequestModel
from penstock.gateway.compatible.run_body import RunBody
from penstock.gateway.compatible.run_start import begin_run
from penstock.gateway.compatible.run_view import assistant_of
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.errors import RequestError, status_of
from penstock.publisher.errors import PenstockError
from penstock.runtime.errors import ResumeError, RunNotFoundError, ThreadNotFoundError
from penstock.runtime.types.state import CheckpointRef

AnyCall: TypeAlias = Call[Any, Any]
Done: TypeAlias = "tuple[Mapping[str, Any], int | None]"
"""The result of a command, and the seq of what was there before."""


_IN_BAND: Final = frozenset({400, 404, 409, 413, 422})
"""The statuses that the answer to a command tells of; others are those of its request."""


async def execute(call: AnyCall, command: CommandBody) -> dict[str, Any]:
    """Do what a command asks, and return its answer.

    Raises:
        RequestError: 401, 403 and others that are not about the command.
        ThreadNotFoundError: there is no such thread, or it is not for the user.
    """
    known = _COMMANDS.get(command.method)
    if known is None:
        why = f"no command {command.method!r}; there are {', '.join(_COMMANDS)}."
        code = "not_supported" if command.method in _UNSUPPORTED else "unknown_command"
        return failure(command.id, why, code)
    model, run = known
    try:
        result, seq = await run(call, checked(model, command.params, "params"))
    except ThreadNotFoundError:
        raise
    except PenstockError as error:
        if status_of(error) not in _IN_BAND:
            raise
        return failure(command.id, error)
    return success(command.id, result, seq)


def _as(call: AnyCall, body: RequestModel) -> AnyCall:
    """Return the call that a route with this body would have been given."""
    return dataclasses.replace(call, body=body)


# -- runs -----------------------------------------------------------------------------------------


async def _start(call: AnyCall, params: StartRun) -> Done:
    return await _begin(call, params)


async def _respond(call: AnyCall, params: Respond) -> Done:
    last = await _readable_last(call)
    if last is None:
        raise ResumeError(f"thread {call.path['thread_id']!r} has no run that asks.")
    _, seq = await _begin(call, checked(RunBody, params.run(_assistant_of(last)), "params"))
    return {}, seq


async def _fork(call: AnyCall, params: Fork) -> Done:
    last = await _readable_last(call)
    if last is None:
        raise RequestError(422, "state.fork: the thread has no run, so it has no checkpoint.")
    body = {"assistant_id": _assistant_of(last), **params.model_dump()}
    result, seq = await _begin(call, checked(StartRun, body, "params"))
    return {**result, "thread_id": call.path["thread_id"]}, seq


async def _begin(call: AnyCall, body: RunBody) -> Done:
    found = await begin_run(await THREADS_CREATE_RUN(_as(call, body)))
    seq = await place_of_leg(call.client, call.path["thread_id"], found)
    return {"run_id": found.leg.leg_id}, seq


async def _cancel(call: AnyCall, params: Cancel) -> Done:
    thread_id = call.path["thread_id"]
    named = params.run_id
    own = await call.ask(
        "threads", "update", {"thread_id": thread_id, "run_id": named, "action": "interrupt"}
    )
    if not named:
        await check_thread_or_run(call.client, thread_id, own)
    found = await (find_leg(call.client, named, thread_id) if named else _last(call))
    if found is None:
        raise RunNotFoundError(thread_id, f"thread {thread_id!r} has no run.")
    await check_leg(call, found, own)
    if found.is_over:
        raise RunNotFoundError(found.leg.leg_id, f"run {found.leg.leg_id!r} is over.")
    await call.client.do(call.client.plans.cancel(found.run.run_id))
    return {}, None


async def _tree(call: AnyCall, params: GetTree) -> Done:
    call = await THREADS_READ(_as(call, NoFields()))
    named, thread_id = params.run_id, call.path["thread_id"]
    found = await (find_leg(call.client, named, thread_id) if named else _last(call))
    if found is None:
        raise RunNotFoundError(thread_id, f"thread {thread_id!r} has no run.")
    status = _STATUSES.get(found.status, "running")
    if found.is_newest and found.run.asks:
        status = "interrupted"
    tree: dict[str, Any] = {"namespace": [], "status": status, "graph_name": found.run.entrypoint}
    return {"tree": tree}, await place_of_end(call.client, found)


async def _readable_last(call: AnyCall) -> FoundLeg | None:
    """Find the newest run of a thread that is for the user; others must not learn of it."""
    return await _last(await THREADS_READ(_as(call, NoFields())))


async def _last(call: AnyCall) -> FoundLeg | None:
    run_id = await call.client.do(call.client.plans.last_run(call.path["thread_id"]))
    return None if run_id is None else await newest_leg(call.client, run_id)


def _assistant_of(found: FoundLeg) -> str:
    return found.leg.request.get("assistant_id") or assistant_of(found.run.entrypoint)


# -- states ---------------------------------------------------------------------------------------


async def _get_state(call: AnyCall, params: GetState) -> Done:
    reader, ref = await _reader(call, params)
    record = await reader.record(ref.thread_id)
    shown = reader.shown(await reader.state(ref), record)
    values: Any = shown["values"]
    if params.keys is not None and isinstance(values, dict):
        fields = cast("dict[str, Any]", values)
        values = {name: fields[name] for name in params.keys if name in fields}
    result: dict[str, Any] = {"values": values}
    if shown["checkpoint_id"]:
        result["checkpoint"] = {"id": shown["checkpoint_id"]}
    return result, None


async def _checkpoints(call: AnyCall, params: Checkpoints) -> Done:
    reader, ref = await _reader(call, params)
    record = await reader.record(ref.thread_id)
    ref = dataclasses.replace(ref, checkpoint_id=params.before or "")
    states = await reader.history(ref, {}, params.limit)
    shown = [reader.shown(each, record) for each in states]
    found = [
        {
            "id": each["checkpoint_id"],
            "timestamp": each["created_at"],
            "step": each["metadata"].get("step", 0),
            "metadata": each["metadata"],
        }
        for each in shown
    ]
    return {"checkpoints": found}, None


async def _reader(
    call: AnyCall, params: GetState | Checkpoints
) -> tuple[ThreadReader, CheckpointRef]:
    call = await THREADS_READ(_as(call, NoFields()))
    return ThreadReader(call.client), CheckpointRef(
        call.path["thread_id"], "", "|".join(params.namespace)
    )


_COMMANDS: Final[Mapping[str, tuple[type[Any], Callable[[AnyCall, Any], Awaitable[Done]]]]] = {
    "run.start": (StartRun, _start),
    "run.cancel": (Cancel, _cancel),
    "input.respond": (Respond, _respond),
    "agent.getTree": (GetTree, _tree),
    "state.get": (GetState, _get_state),
    "state.listCheckpoints": (Checkpoints, _checkpoints),
    "state.fork": (Fork, _fork),
}

_UNSUPPORTED: Final = frozenset(
    {
        "input.inject",
        "subscription.subscribe",
        "subscription.unsubscribe",
        "subscription.reconnect",
    }
)
"""Commands that the protocol knows; subscriptions are for a WebSocket."""

_STATUSES: Final = {"success": "completed", "error": "failed", "timeout": "failed"} | {
    "interrupted": "interrupted",
    "pending": "started",
}
