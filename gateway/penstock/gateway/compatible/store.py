"""The store: items that outlive threads."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from typing import Any, Final, cast

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call
from penstock.gateway.compatible.asks import (
    STORE_DELETE,
    STORE_GET,
    STORE_LIST_NAMESPACES,
    STORE_PUT,
    STORE_SEARCH,
)
from penstock.gateway.compatible.request_model import NoFields
from penstock.gateway.compatible.store_bodies import (
    DeleteItem,
    FindNamespaces,
    GetItem,
    PutItem,
    SearchItems,
)
from penstock.gateway.compatible.store_calls import StoreCalls
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError
from penstock.runtime.store.item import (
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchItem,
    SearchOp,
)


async def put(call: Call[NoFields, PutItem]) -> Response:
    """Keep an item, in the place of one with the same namespace and key."""
    body = call.body
    op = PutOp(tuple(body.namespace), body.key, body.value, body.index, body.ttl)
    await StoreCalls(call.client).do(op)
    return Response(status_code=204)


async def get(call: Call[GetItem, NoFields]) -> Response:
    """Show an item; null if there is none."""
    query = call.query
    refresh = query.refresh_ttl is not False
    op = GetOp(query.namespace, query.key, refresh)
    found = cast("Item | None", await StoreCalls(call.client).do(op))
    return answer_json(found and found.dict())


async def delete(call: Call[NoFields, DeleteItem]) -> Response:
    """Delete an item, if there is one."""
    op = PutOp(tuple(call.body.namespace), call.body.key, None)
    await StoreCalls(call.client).do(op)
    return Response(status_code=204)


async def search(call: Call[NoFields, SearchItems]) -> Response:
    """List the items of the namespaces under a prefix that meet a filter."""
    body = call.body
    if body.query:
        raise RequestError(422, "query: the store of a gateway has no index to search by meaning.")
    refresh = body.refresh_ttl is not False
    op = SearchOp(tuple(body.namespace_prefix), body.filter, body.limit, body.offset, None, refresh)
    found = cast("list[SearchItem]", await StoreCalls(call.client).do(op))
    return answer_json({"items": [each.dict() for each in found]})


async def namespaces(call: Call[NoFields, FindNamespaces]) -> Response:
    """List namespaces that have items."""
    body = call.body
    conditions: list[MatchCondition] = []
    if body.prefix:
        conditions.append(MatchCondition("prefix", tuple(body.prefix)))
    if body.suffix:
        conditions.append(MatchCondition("suffix", tuple(body.suffix)))
    op = ListNamespacesOp(tuple(conditions), body.max_depth, body.limit, body.offset)
    return answer_json({"namespaces": await StoreCalls(call.client).do(op)})


_ITEMS: Final = "/store/items"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("PUT", _ITEMS, Role.CLIENT, NoFields, PutItem, put, 204, asks=STORE_PUT),
    Endpoint("GET", _ITEMS, Role.VIEWER, GetItem, NoFields, get, has_values=True, asks=STORE_GET),
    Endpoint("DELETE", _ITEMS, Role.CLIENT, NoFields, DeleteItem, delete, 204, asks=STORE_DELETE),
    Endpoint(
        "POST",
        f"{_ITEMS}/search",
        Role.VIEWER,
        NoFields,
        SearchItems,
        search,
        has_values=True,
        asks=STORE_SEARCH,
    ),
    Endpoint(
        "POST",
        "/store/namespaces",
        Role.VIEWER,
        NoFields,
        FindNamespaces,
        namespaces,
        asks=STORE_LIST_NAMESPACES,
    ),
)
