"""The gateway as an ASGI app, to be served or mounted into another."""

from __future__ import annotations

__all__ = ["create_app", "guarded"]

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from penstock.gateway.auth.handlers import Handlers
from penstock.gateway.auth.loading import load_auth
from penstock.gateway.compatible.routes import compatible_routes
from penstock.gateway.dashboard.routes import dashboard as dashboard_routes
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.errors import RequestError, refusal, status_of
from penstock.gateway.guard import Guard, allowed_origins
from penstock.gateway.native import many, runs, threads, webhooks, world
from penstock.gateway.openapi import description_text
from penstock.gateway.settings import GatewaySettings, load_gateway_settings
from penstock.gateway.shared import Shared
from penstock.publisher.errors import PenstockError
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.redis.plans.requests import Plan

logger = logging.getLogger(__name__)

ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    *many.ENDPOINTS,
    *runs.ENDPOINTS,
    *threads.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *world.ENDPOINTS,
)
"""All of the native API, in the order of its reference."""

_EXPOSED: Final = (
    "Content-Location",
    "Location",
    "Retry-After",
    "X-Pagination-Next",
    "X-Pagination-Total",
    "X-Request-Id",
)
"""Headers that the code of a page may read: LangGraph's client learns a run's id from one."""


def create_app(
    client: AsyncClient | None = None,
    *,
    settings: GatewaySettings | None = None,
    is_open: bool = False,
    dashboard: bool = True,
    compatible: bool = True,
    auth: Any = None,
) -> Starlette:
    """Return an app to serve, or to mount into one of FastAPI, Starlette or Django.

    Each request needs an API key, unless `is_open`: then the app that it is mounted into decides
    who may come. The dashboard is at /dashboard, and the API of LangGraph's clients at /, unless
    they are left out. By default, the client and the settings are those of the environment.

    An `auth` object, of ours or of `langgraph_sdk`, decides instead of keys, wherever the app is,
    on every route and every page of the dashboard.

    Raises:
        ConfigurationError: a setting has a value that it cannot have.
    """
    return _app(_shared(client, settings, is_open, auth), dashboard, compatible)


def guarded(
    client: AsyncClient | None = None,
    *,
    settings: GatewaySettings | None = None,
    is_open: bool = False,
    auth: Any = None,
) -> tuple[ASGIApp, Shared]:
    """Return the app for a process of its own, which checks hosts and origins, and its state."""
    shared = _shared(client, settings, is_open, auth)
    own = shared.settings
    origins = allowed_origins(own.origins)
    app = CORSMiddleware(
        _app(shared),
        allow_origin_regex=origins.pattern,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
    )
    return Guard(
        app, (own.host, *own.hosts) if own.is_loopback or own.hosts else None, origins
    ), shared


def _shared(
    client: AsyncClient | None, settings: GatewaySettings | None, is_open: bool, auth: Any
) -> Shared:
    settings = settings or load_gateway_settings()
    if auth is None and settings.auth:
        auth = load_auth(settings.auth)
    handlers = None if auth is None else Handlers(auth)
    return Shared(client or AsyncClient(), settings, is_open=is_open, handlers=handlers)


def _app(shared: Shared, dashboard: bool = True, compatible: bool = True) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with shared:
            yield

    async def ok(request: Request) -> Response:
        return await _health(shared, request)

    async def described(request: Request) -> Response:
        return Response(description_text(ENDPOINTS), media_type="application/json")

    routes: list[BaseRoute] = [
        Route("/ok", ok),
        Route("/api/openapi.json", described),
        *(endpoint.route(shared) for endpoint in ENDPOINTS),
    ]
    if compatible:
        routes += compatible_routes(shared)
    if dashboard:
        routes.append(dashboard_routes(shared))
    handlers: Any = {
        PenstockError: _refused,
        HTTPException: _not_found,
        Exception: _failed,
    }
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


async def _health(shared: Shared, request: Request) -> Response:
    """Say that the process answers; with `check_db=1`, that Redis does."""
    if shared.streams.is_draining:
        return answer_json({"ok": False}, 503)
    if request.query_params.get("check_db") == "1":
        await shared.open()
        await shared.client.do(_ping())
    return answer_json({"ok": True})


def _ping() -> Plan[None]:
    yield ("PING",)


async def _refused(request: Request, error: PenstockError) -> Response:
    status = status_of(error)
    if status is None:
        return await _failed(request, error)
    headers = error.headers if isinstance(error, RequestError) else {}
    return JSONResponse(refusal(error), status, headers)


async def _not_found(request: Request, error: HTTPException) -> Response:
    """Answer for a path that is none, or a method that it does not have."""
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    request_id = getattr(request.state, "request_id", "")
    logger.error("request %s failed", request_id, exc_info=error)
    return JSONResponse({"detail": "internal error", "request_id": request_id}, 500)
