"""What the entrypoint of an assistant takes and gives, and how it is drawn."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.asks import ASSISTANTS_READ
from penstock.gateway.compatible.assistant_bodies import GraphQuery, SubgraphsQuery
from penstock.gateway.compatible.assistant_records import AssistantRecords
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.runtime.diagnostics.descriptions import read_descriptions
from penstock.runtime.types.description import SCHEMAS, Description


async def draw(call: Call[GraphQuery, NoFields]) -> Response:
    """Draw the graph of an assistant, as nodes and edges."""
    description = await _described(call)
    drawing = (
        description.deep_drawing
        if call.query.xray and description.deep_drawing
        else description.drawing
    )
    return answer_json(drawing or {"nodes": [], "edges": []})


async def schemas(call: Call[NoFields, NoFields]) -> Response:
    """Show the JSON schemas of an assistant's input, output and context."""
    description = await _described(call)
    return answer_json(_shown(description.name, description.schemas))


async def subgraphs(call: Call[SubgraphsQuery, NoFields]) -> Response:
    """Show the schemas of the graphs in the graph of an assistant."""
    return await _subgraphs(call, "")


async def subgraphs_below(call: Call[SubgraphsQuery, NoFields]) -> Response:
    """Show the schemas of the graphs in a graph in the graph of an assistant."""
    return await _subgraphs(call, call.path["namespace"])


async def _subgraphs(call: Call[SubgraphsQuery, NoFields], below: str) -> Response:
    description = await _described(call)
    found = {
        name: _shown(description.name, found)
        for name, found in description.subgraphs.items()
        if (not below or name == below or name.startswith(f"{below}|"))
        and (call.query.recurse or name.count("|") == (below.count("|") if below else 0))
    }
    return answer_json(found)


async def _described(call: Call[Any, Any]) -> Description:
    plans = call.client.plans
    found = await call.client.do(AssistantRecords(plans).find(call.path["assistant_id"]))
    (description,) = await call.client.do(read_descriptions(plans, [found.settings.graph_id]))
    return description


def _shown(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"graph_id": name, **{f"{each}_schema": found.get(each) for each in SCHEMAS}}


_ASSISTANT: Final = "/assistants/{assistant_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint(
        "GET", f"{_ASSISTANT}/graph", Role.VIEWER, GraphQuery, NoFields, draw, asks=ASSISTANTS_READ
    ),
    Endpoint(
        "GET",
        f"{_ASSISTANT}/schemas",
        Role.VIEWER,
        NoFields,
        NoFields,
        schemas,
        asks=ASSISTANTS_READ,
    ),
    Endpoint(
        "GET",
        f"{_ASSISTANT}/subgraphs",
        Role.VIEWER,
        SubgraphsQuery,
        NoFields,
        subgraphs,
        asks=ASSISTANTS_READ,
    ),
    Endpoint(
        "GET",
        f"{_ASSISTANT}/subgraphs/{{namespace}}",
        Role.VIEWER,
        SubgraphsQuery,
        NoFields,
        subgraphs_below,
        asks=ASSISTANTS_READ,
    ),
)
