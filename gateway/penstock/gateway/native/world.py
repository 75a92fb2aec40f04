"""What executes runs: queues, workers, entrypoints."""

from __future__ import annotations

__all__ = ["ENDPOINTS"]

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, Empty
from penstock.gateway.compatible.asks import ASSISTANTS_SEARCH
from penstock.gateway.endpoint import Endpoint, answer_json
from penstock.gateway.native.asks import ALL_RUNS
from penstock.runtime.diagnostics.doctor.examination import examination
from penstock.runtime.diagnostics.entrypoints import read_entrypoints
from penstock.runtime.diagnostics.workers import read_workers
from penstock.runtime.redis.plans.queues import overview


async def queues(call: Call[Empty, Empty]) -> Response:
    """Show the queues: what waits on each, for how long, and how many workers serve it."""
    return answer_json(await call.client.do(overview(call.client.plans.calls)))


async def workers(call: Call[Empty, Empty]) -> Response:
    """List the live workers, and the runs that each executes."""
    return answer_json({"workers": await call.client.do(read_workers(call.client.plans))})


async def entrypoints(call: Call[Empty, Empty]) -> Response:
    """List the entrypoints and graphs that live workers have."""
    return answer_json({"entrypoints": await call.client.do(read_entrypoints(call.client.plans))})


async def doctor(call: Call[Empty, Empty]) -> Response:
    """Check the settings of the Redis, and find runs that are stuck."""
    found = await asyncio.to_thread(examination, call.client.settings)
    return answer_json({"findings": found.findings})


ENDPOINTS: Final[Sequence[Endpoint[Any, Any]]] = (
    Endpoint("GET", "/api/queues", Role.VIEWER, Empty, Empty, queues, asks=ALL_RUNS),
    Endpoint("GET", "/api/workers", Role.VIEWER, Empty, Empty, workers, asks=ALL_RUNS),
    Endpoint(
        "GET", "/api/entrypoints", Role.VIEWER, Empty, Empty, entrypoints, asks=ASSISTANTS_SEARCH
    ),
    Endpoint("GET", "/api/doctor", Role.OPERATOR, Empty, Empty, doctor, asks=ALL_RUNS),
)
