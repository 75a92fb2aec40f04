"""The dashboard as a part of the gateway's app."""

from __future__ import annotations

__all__ = ["dashboard"]

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.gateway.auth.role import Role
from penstock.gateway.compatible.asks import asks_each
from penstock.gateway.dashboard.screen import Screen
from penstock.gateway.dashboard.screens import (
    entrypoints,
    failures,
    live,
    login,
    overview,
    questions,
    queues,
    run,
    run_actions,
    runs,
    system,
    threads,
)
from penstock.gateway.dashboard.site import Site
from penstock.gateway.dashboard.visit import Visit
from penstock.gateway.errors import RequestError
from penstock.gateway.shared import Shared

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load: nothing of others, and no script or style in the page itself."""

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


async def missing(visit: Visit) -> Response:
    """Say that there is no such page."""
    raise RequestError(404, f"there is no page {visit.request.url.path}.")


SCREENS: Final[Sequence[Screen]] = (
    *login.SCREENS,
    *live.SCREENS,
    *runs.SCREENS,
    *run.SCREENS,
    *run_actions.SCREENS,
    *overview.SCREENS,
    *entrypoints.SCREENS,
    *questions.SCREENS,
    *failures.SCREENS,
    *queues.SCREENS,
    *threads.SCREENS,
    *system.SCREENS,
    Screen("GET", "/{rest:path}", Role.VIEWER, missing, asks_each),
)


def dashboard(shared: Shared) -> Mount:
    """Return the routes of the dashboard, below /dashboard."""
    site = Site(shared)

    async def asset(request: Request) -> Response:
        return site.assets.response(request.path_params["digest"], request.path_params["name"])

    routes = [
        Route("/static/{digest}/{name}", asset),
        *(screen.route(site) for screen in SCREENS),
    ]
    return Mount("/dashboard", routes=routes, middleware=[Middleware(_Secured)])


class _Secured:
    """Gives each answer the headers that keep other pages and scripts out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, sent)
