"""What can be started: entrypoints and graphs, who executes them, and a form for their input."""

from __future__ import annotations

__all__ = ["SCREENS"]

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from penstock.gateway.auth.bulk_access import check_entrypoint
from penstock.gateway.auth.role import Role
from penstock.gateway.compatible.asks import ASSISTANTS_SEARCH
from penstock.gateway.dashboard.actions import refusal_of
from penstock.gateway.dashboard.input_form import INPUT, read_value, schema_of
from penstock.gateway.dashboard.run_query import read_tags
from penstock.gateway.dashboard.run_rows import read_rows
from penstock.gateway.dashboard.schema_form import FormError, fields_of
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError, status_of
from penstock.gateway.native.asks import ENQUEUE, FIND_RUNS, READ_ENTRYPOINT
from penstock.gateway.native.begin_run import begin_run
from penstock.gateway.native.models import NewRun
from penstock.gateway.native.own_runs import find_runs
from penstock.publisher.errors import PenstockError
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.diagnostics.entrypoints import (
    EntrypointState,
    read_entrypoint,
    read_entrypoint_states,
)

CONTEXT: Final = "context"

NEWEST: Final = 10
"""Runs of an entrypoint that its page shows."""


async def entrypoints(visit: Visit) -> Response:
    """List what live workers can execute."""
    client = visit.client
    found = await client.do(read_entrypoint_states(client.plans))
    if not await visit.sees_all():
        found = [replace(each, open_runs=0) for each in found]
    return visit.page("entrypoints", found=found)


async def entrypoint(visit: Visit) -> Response:
    """Show an entrypoint, with a form that starts a run of it."""
    return await _show(visit)


async def start(visit: Visit) -> Response:
    """Start a run of the input that a form has."""
    name, form, client = visit.path["name"], visit.form, visit.client
    try:
        check_entrypoint(name)
        (description,) = await client.do(read_descriptions(client.plans, [name]))
        context = None
        if _is_filled(form, CONTEXT):
            context = read_value(description, form, CONTEXT)
        wanted = NewRun(
            entrypoint=name,
            input=read_value(description, form),
            context=context,
            thread_id=form.get("thread") or None,
            queue=form.get("queue") or None,
            tags=read_tags([form["tag"]] if form.get("tag") else []),
            run_id=form.get("run") or None,
        )
        run = await begin_run(await ENQUEUE(visit.call(wanted)))
    except PenstockError as error:
        if status_of(error) is None:
            raise
        return await _show(visit, error)
    return visit.go(f"/runs/{quote(run.run_id, safe='')}")


def _is_filled(form: Mapping[str, str], name: str) -> bool:
    return any(form[each] for each in form if each == name or each.startswith(f"{name}."))


async def _show(visit: Visit, refused: PenstockError | None = None) -> Response:
    client, name = visit.client, visit.path["name"]
    state = await client.do(read_entrypoint(client.plans, name))
    own = (await FIND_RUNS(visit.call())).filter
    runs = await find_runs(client, own, NEWEST, entrypoint=name)
    if not await visit.sees_all():
        state = replace(state, open_runs=0)
    schemas = {each: schema for each, schema in state.description.schemas.items() if schema}
    if not (state.workers or schemas or runs):
        raise RequestError(
            404, f"no worker has announced an entrypoint {name!r}, and it has no run."
        )
    return visit.page(
        "entrypoint",
        200 if refused is None else status_of(refused) or 500,
        state=state,
        schemas=schemas,
        fields=fields_of(schema_of(state.description), INPUT),
        context=fields_of(schemas[CONTEXT], CONTEXT) if CONTEXT in schemas else (),
        rows=await read_rows(visit, runs),
        refusal=refusal_of(visit.identity, Role.CLIENT),
        error="" if refused is None else str(refused),
        problems=refused.problems if isinstance(refused, FormError) else {},
        given=visit.form,
        run_id=visit.form.get("run") or uuid.uuid4().hex,
        queue=_queue(state, client.settings.queue),
    )


def _queue(state: EntrypointState, usual: str) -> str:
    """Return the queue that a run is to be put on: the usual one, if workers serve it."""
    served = [queue for worker in state.workers for queue in worker.queues]
    return served[0] if served and usual not in served else usual


_ENTRYPOINT: Final = "/entrypoints/{name:path}"

SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/entrypoints", Role.VIEWER, entrypoints, ASSISTANTS_SEARCH),
    Screen("POST", f"{_ENTRYPOINT}/start", Role.CLIENT, start, READ_ENTRYPOINT),
    Screen("GET", _ENTRYPOINT, Role.VIEWER, entrypoint, READ_ENTRYPOINT),
)
