"""All routes of the API of LangGraph's clients."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "compatible_routes"]

from collections.abc import Sequence
from typing import Any, Final

from starlette.routing import BaseRoute

from penstock.gateway.compatible import (
    assistants,
    graphs,
    many_runs,
    runs,
    search,
    state,
    store,
    thread_stream,
    threads,
)
from penstock.gateway.compatible.crons import CRON_ROUTES
from penstock.gateway.compatible.protocol import endpoints as protocol
from penstock.gateway.compatible.protocol.thread_socket import socket_route
from penstock.gateway.compatible.system import system_routes
from penstock.gateway.endpoint import Endpoint
from penstock.gateway.shared import Shared

ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    *assistants.ENDPOINTS,
    *graphs.ENDPOINTS,
    *threads.ENDPOINTS,
    *search.ENDPOINTS,
    *state.ENDPOINTS,
    *store.ENDPOINTS,
    *runs.ENDPOINTS,
    *many_runs.ENDPOINTS,
    *thread_stream.ENDPOINTS,
    *protocol.ENDPOINTS,
)
"""The routes that need a role, in the order of their reference."""


def compatible_routes(shared: Shared) -> list[BaseRoute]:
    """Return the routes, to be mounted at `/`."""
    return [
        *system_routes(ENDPOINTS),
        *CRON_ROUTES,
        *(endpoint.route(shared) for endpoint in ENDPOINTS),
        socket_route(shared),
    ]
