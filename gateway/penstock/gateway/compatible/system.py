"""Routes about the gateway itself, which need no API key."""

from __future__ import annotations

__all__ = ["system_routes"]

import importlib.metadata
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.openapi import description_text


def system_routes(endpoints: Sequence[Endpoint[Any, Any]]) -> list[Route]:
    """Return the routes that tell clients what this gateway is, and what it can do."""

    async def openapi(request: Request) -> Response:
        return Response(description_text(tuple(endpoints)), media_type="application/json")

    return [Route("/info", _info), Route("/openapi.json", openapi)]


async def _info(request: Request) -> Response:
    flags = {"assistants": True, "crons": False, "langsmith": False, "strict_resume": True}
    version = importlib.metadata.version("penstock")
    return answer_json({"version": version, "flags": flags, "host": {"kind": "self-hosted"}})
