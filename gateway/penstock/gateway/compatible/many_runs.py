"""Many runs, begun or cancelled at once."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import dataclasses
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import Field, model_validator
from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import admitted_legs, admitted_runs, check_thread_or_run
from penstock.gateway.compatible.asks import THREADS_CREATE_RUN, THREADS_UPDATE, asks_each
from penstock.gateway.compatible.legs import find_legs, leg_status
from penstock.gateway.compatible.request_model import NoFields, RequestModel
from penstock.gateway.compatible.run_body import BatchedRun, RunBatch
from penstock.gateway.compatible.run_start import begin_run, find_own_assistant
from penstock.gateway.compatible.run_view import read_run_views
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunNotFoundError
from penstock.runtime.types.run import OPEN, Run

_PAGE: Final = 100

Text = Annotated[str, Field(min_length=1)]
"""A text that is checked: it has no half of a character, of which no key could be made."""


class CancelBody(RequestModel):
    """Which runs are cancelled: some of a thread, or all that have a status."""

    thread_id: Text | None = None
    run_ids: list[Text] = Field(default_factory=list[Text], max_length=1000)
    status: Literal["pending", "running", "all"] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        names_runs = self.thread_id is not None and bool(self.run_ids)
        if names_runs == (self.status is not None):
            raise ValueError("give either thread_id and run_ids, or status")
        return self


class ActionQuery(RequestModel):
    """How they are cancelled."""

    action: Literal["interrupt", "rollback"] = "interrupt"


async def create_many(call: Call[NoFields, RunBatch]) -> Response:
    """Begin several runs, one after the other; answers at once."""
    calls = [await _one(call, each) for each in call.body.root]
    for each in {each.body.assistant_id: each for each in calls}.values():
        await find_own_assistant(each)  # before any of them is begun
    found = [await begin_run(each) for each in calls]
    return answer_json(await read_run_views(call.client, found))


async def _one(call: Call[NoFields, RunBatch], body: BatchedRun) -> Call[Any, Any]:
    """Return the call that one of several runs would have been by itself."""
    path = {} if body.thread_id is None else {"thread_id": body.thread_id}
    one: Call[Any, Any] = dataclasses.replace(cast("Call[Any, Any]", call), path=path, body=body)
    return await THREADS_CREATE_RUN(one)


async def cancel_many(call: Call[ActionQuery, CancelBody]) -> Response:
    """Cancel runs of a thread, or all that are pending or running; one that is over stays so."""
    client, body, own = call.client, call.body, call.filter
    reason = "rollback" if call.query.action == "rollback" else "cancelled"
    if body.status is None:
        await check_thread_or_run(client, body.thread_id or "", own)
        found = await find_legs(client, body.run_ids, body.thread_id)
        found = await admitted_legs(client, found, own)
        await _cancel(client, (each.run for each in found if not each.is_over), reason)
        return Response(status_code=204)
    shown = ("pending", "running") if body.status == "all" else (body.status,)
    async for page in _open_runs(client):
        wanted = [run for run in page if leg_status(run) in shown]
        await _cancel(client, await admitted_runs(client, wanted, own), reason)
    return Response(status_code=204)


async def _open_runs(client: AsyncClient) -> AsyncGenerator[Sequence[Run]]:
    after: str | None = None
    while True:
        page = await client.runs(OPEN, _PAGE, after=after)
        yield page
        after = page.after
        if after is None:
            return


async def _cancel(client: AsyncClient, runs: Iterable[Run], reason: str) -> None:
    for run in runs:
        try:
            await client.do(client.plans.cancel(run.run_id, reason))
        except RunNotFoundError:  # it was deleted meanwhile
            continue


ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("POST", "/runs/batch", Role.CLIENT, NoFields, RunBatch, create_many, asks=asks_each),
    Endpoint(
        "POST",
        "/runs/cancel",
        Role.OPERATOR,
        ActionQuery,
        CancelBody,
        cancel_many,
        204,
        asks=THREADS_UPDATE,
    ),
)
