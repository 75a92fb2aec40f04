"""Webhooks: URLs that are told of changes of runs. All of it needs an admin.

Whoever puts a webhook has this Redis's workers send to a URL, and whoever reads one may learn a URL
that is a secret by itself.
"""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.native.asks import ALL_CHANGES, ALL_RUNS
from penstock.gateway.native.models import Disabling, LimitQuery, WebhookBody
from penstock.runtime.errors import WebhookNotFoundError
from penstock.runtime.types.webhook import webhook_fields


async def listing(call: Call[Empty, Empty]) -> Response:
    """List the webhooks, by id, without their secrets."""
    found = await call.client.webhooks.list()
    return answer_json({"webhooks": [webhook_fields(each) for each in found]})


async def show(call: Call[Empty, Empty]) -> Response:
    """Show a webhook and how its deliveries go, without its secret."""
    return answer_json(webhook_fields(await call.client.webhooks.get(_id(call))))


async def put(call: Call[Empty, WebhookBody]) -> Response:
    """Have a URL told of changes of runs; the answer has the secret of a new one, only now."""
    body = call.body
    made = await call.client.webhooks.put(
        _id(call), body.url, events=body.events, where=body.where.filters(), secret=body.secret
    )
    return answer_json(webhook_fields(made))


async def delete(call: Call[Empty, Empty]) -> Response:
    """Delete a webhook, with the deliveries that wait."""
    if not await call.client.webhooks.delete(_id(call)):
        raise WebhookNotFoundError(_id(call))
    return Response(status_code=204)


async def test(call: Call[Empty, Empty]) -> Response:
    """Have a worker send a `webhook.test`; answers with the id of the delivery."""
    return answer_json({"delivery": await call.client.webhooks.test(_id(call))}, 202)


async def enable(call: Call[Empty, Empty]) -> Response:
    """Send to a webhook again, at once also what waits."""
    await call.client.webhooks.enable(_id(call))
    return Response(status_code=204)


async def disable(call: Call[Empty, Disabling]) -> Response:
    """Send nothing to a webhook; what waits is kept for five days."""
    await call.client.webhooks.disable(_id(call), call.body.reason)
    return Response(status_code=204)


async def deliveries(call: Call[LimitQuery, Empty]) -> Response:
    """List the last tries to deliver to a webhook, the newest first."""
    found = await call.client.webhooks.deliveries(_id(call), call.query.limit)
    return answer_json({"deliveries": found})


def _id(call: Call[Any, Any]) -> str:
    return call.path["webhook_id"]


_WEBHOOK: Final = "/api/webhooks/{webhook_id}"

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("GET", "/api/webhooks", Role.ADMIN, Empty, Empty, listing, asks=ALL_RUNS),
    Endpoint("GET", _WEBHOOK, Role.ADMIN, Empty, Empty, show, asks=ALL_RUNS),
    Endpoint("PUT", _WEBHOOK, Role.ADMIN, Empty, WebhookBody, put, asks=ALL_CHANGES),
    Endpoint("DELETE", _WEBHOOK, Role.ADMIN, Empty, Empty, delete, 204, asks=ALL_CHANGES),
    Endpoint("POST", f"{_WEBHOOK}/test", Role.ADMIN, Empty, Empty, test, 202, asks=ALL_CHANGES),
    Endpoint("POST", f"{_WEBHOOK}/enable", Role.ADMIN, Empty, Empty, enable, 204, asks=ALL_CHANGES),
    Endpoint(
        "POST", f"{_WEBHOOK}/disable", Role.ADMIN, Empty, Disabling, disable, 204, asks=ALL_CHANGES
    ),
    Endpoint(
        "GET", f"{_WEBHOOK}/deliveries", Role.ADMIN, LimitQuery, Empty, deliveries, asks=ALL_RUNS
    ),
)
