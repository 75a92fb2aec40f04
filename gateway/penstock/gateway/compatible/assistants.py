"""Assistants: those of entrypoints, and those that somebody has made of them."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.filters import kept_by, with_filter
from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.access import is_own_thread
from penstock.gateway.compatible.asks import (
    ASSISTANTS_CREATE,
    ASSISTANTS_DELETE,
    ASSISTANTS_READ,
    ASSISTANTS_SEARCH,
    ASSISTANTS_UPDATE,
)
from penstock.gateway.compatible.assistant import Assistant, Settings
from penstock.gateway.compatible.assistant_bodies import (
    ChooseVersion,
    CountAssistants,
    DeleteQuery,
    NewAssistant,
    PatchAssistant,
    SearchAssistants,
    SearchVersions,
)
from penstock.gateway.compatible.assistant_records import AssistantRecords
from penstock.gateway.compatible.ids import new_id
from penstock.gateway.compatible.pages import answer_page
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.selection import selected
from penstock.gateway.compatible.thread_deletion import delete_thread
from penstock.gateway.compatible.thread_reading import ThreadReader
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.types.thread_record import ThreadQuery, contains


async def search(call: Call[NoFields, SearchAssistants]) -> Response:
    """List assistants: those of entrypoints that workers have, and those that somebody has made."""
    body = call.body
    found = [each for each in await _all(call) if _is_wanted(each, body)]
    found.sort(key=_order(body.sort_by or "created_at"), reverse=body.sort_order != "asc")
    page = found[body.offset : body.offset + body.limit]
    shown = [selected(each.view(), body.select) for each in page]
    return answer_page(shown, len(found), body.offset)


async def count(call: Call[NoFields, CountAssistants]) -> Response:
    """Count assistants."""
    return answer_json(sum(_is_wanted(each, call.body) for each in await _all(call)))


async def get(call: Call[NoFields, NoFields]) -> Response:
    """Show an assistant, by its id or by the name of an entrypoint."""
    return answer_json((await _found(call)).view())


async def create(call: Call[NoFields, NewAssistant]) -> Response:
    """Make an assistant of an entrypoint or a graph."""
    body = call.body
    if body.graph_id is None:
        raise RequestError(422, "graph_id: Field required.")
    await _check_graph(call, body.graph_id)
    settings = _changed(Settings(body.graph_id), body)
    own = with_filter(settings.metadata, call.filter)
    settings = dataclasses.replace(settings, metadata=own)
    assistant_id = body.assistant_id or new_id()
    records = AssistantRecords(call.client.plans)
    is_taken = await call.client.do(records.entrypoint_of(assistant_id)) is not None
    is_made = not is_taken and await call.client.do(records.create(assistant_id, settings))
    found = await call.client.do(records.find(assistant_id))
    if not is_made and (body.if_exists != "do_nothing" or not found.is_for(call.filter)):
        raise RequestError(
            409, f"there is an assistant {assistant_id!r}: give another id, or if_exists."
        )
    return answer_json(found.view())


async def patch(call: Call[NoFields, PatchAssistant]) -> Response:
    """Give an assistant one more version, in which some of its settings are others."""
    body, records = call.body, AssistantRecords(call.client.plans)
    if body.graph_id is not None:
        await _check_graph(call, body.graph_id)
    if body.metadata:
        body = body.model_copy(update={"metadata": kept_by(call.filter, body.metadata)})
    plan = records.change(call.path["assistant_id"], lambda before: _changed(before, body))
    return answer_json((await call.client.do(plan)).view())


async def delete(call: Call[DeleteQuery, NoFields]) -> Response:
    """Delete an assistant, and its threads if that is asked for."""
    records = AssistantRecords(call.client.plans)
    own = await call.client.do(records.own(call.path["assistant_id"]))
    if call.query.delete_threads:
        await _delete_threads(call, own.assistant_id)
    await call.client.do(records.delete(own.assistant_id))
    return Response(status_code=204)


async def _delete_threads(call: Call[Any, Any], assistant_id: str) -> None:
    """Delete the threads of an assistant that are for the user.

    They are looked for again until no other is found: the list moves up where one is deleted.
    """
    search, seen = ThreadReader(call.client).search, set[str]()
    query = ThreadQuery(metadata={"assistant_id": assistant_id})
    while True:
        walk, names = await call.client.do(search.walk(query)), list[str]()
        while (found := await call.client.do(walk.look())) is not None:
            names += [each.thread_id for each in found if each.thread_id not in seen]
        if not names:
            return
        seen.update(names)
        for name in names:
            if await is_own_thread(call, "delete", name):
                await delete_thread(call.client, name)


async def versions(call: Call[NoFields, SearchVersions]) -> Response:
    """List the versions of an assistant, the newest first."""
    body, records = call.body, AssistantRecords(call.client.plans)
    found = await call.client.do(records.versions(await _found(call)))
    wanted = [each for each in found if contains(each.settings.metadata, body.metadata or {})]
    return answer_json([each.view() for each in wanted[body.offset : body.offset + body.limit]])


async def choose(call: Call[NoFields, ChooseVersion]) -> Response:
    """Make a version of an assistant the one that counts."""
    records = AssistantRecords(call.client.plans)
    plan = records.choose(call.path["assistant_id"], call.body.version)
    return answer_json((await call.client.do(plan)).view())


async def _all(call: Call[Any, Any]) -> list[Assistant]:
    found = await call.client.do(AssistantRecords(call.client.plans).all())
    return [each for each in found if each.is_for(call.filter)]


async def _found(call: Call[Any, Any]) -> Assistant:
    records = AssistantRecords(call.client.plans)
    return await call.client.do(records.find(call.path["assistant_id"]))


async def _check_graph(call: Call[Any, Any], name: str) -> None:
    """Refuse the name of an entrypoint that no worker has.

    Raises:
        RequestError: it is such a name.
    """
    names = await call.client.do(read_entrypoints(call.client.plans))
    if name not in names:
        known = json.dumps(names)[1:-1] or "none"
        raise RequestError(404, f"no graph {name!r}; workers have {known}.")


def _order(by: str) -> Callable[[Assistant], tuple[Any, str]]:
    def place(each: Assistant) -> tuple[Any, str]:
        holder: Any = each.settings if by in ("graph_id", "name") else each
        return getattr(holder, by), each.assistant_id

    return place


def _is_wanted(assistant: Assistant, wanted: CountAssistants) -> bool:
    settings = assistant.settings
    return (
        wanted.graph_id in (None, settings.graph_id)
        and (wanted.name or "").lower() in settings.name.lower()
        and contains(settings.metadata, wanted.metadata or {})
    )


def _changed(before: Settings, body: PatchAssistant) -> Settings:
    """Return settings of which some are others.

    Raises:
        RequestError: both a context and a configurable are given.
    """
    if body.context and body.config and body.config.get("configurable"):
        raise RequestError(400, "give either context, or configurable in config: not both.")
    given = body.model_dump(exclude_none=True, include=set(PatchAssistant.model_fields))
    if "metadata" in given:
        given["metadata"] = {**before.metadata, **given["metadata"]}
    return dataclasses.replace(before, **given)


_ASSISTANT: Final = "/assistants/{assistant_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "POST",
        "/assistants/search",
        Role.VIEWER,
        NoFields,
        SearchAssistants,
        search,
        asks=ASSISTANTS_SEARCH,
    ),
    Endpoint(
        "POST",
        "/assistants/count",
        Role.VIEWER,
        NoFields,
        CountAssistants,
        count,
        asks=ASSISTANTS_SEARCH,
    ),
    Endpoint(
        "POST", "/assistants", Role.OPERATOR, NoFields, NewAssistant, create, asks=ASSISTANTS_CREATE
    ),
    Endpoint("GET", _ASSISTANT, Role.VIEWER, NoFields, NoFields, get, asks=ASSISTANTS_READ),
    Endpoint(
        "PATCH", _ASSISTANT, Role.OPERATOR, NoFields, PatchAssistant, patch, asks=ASSISTANTS_UPDATE
    ),
    Endpoint(
        "DELETE", _ASSISTANT, Role.ADMIN, DeleteQuery, NoFields, delete, 204, asks=ASSISTANTS_DELETE
    ),
    Endpoint(
        "POST",
        f"{_ASSISTANT}/versions",
        Role.VIEWER,
        NoFields,
        SearchVersions,
        versions,
        asks=ASSISTANTS_READ,
    ),
    Endpoint(
        "POST",
        f"{_ASSISTANT}/latest",
        Role.OPERATOR,
        NoFields,
        ChooseVersion,
        choose,
        asks=ASSISTANTS_UPDATE,
    ),
)
