"""A web app that enqueues runs, streams their events, and answers their questions.

    penstock dev flows.py                       # a Redis and a worker; prints the Redis URL
    PENSTOCK_REDIS_URL=redis://... uvicorn web:app

The app knows the workflows by name only: it imports none of their code.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock.publisher import (
    CursorExpiredError,
    PenstockError,
    RedisUnavailableError,
    astream_sse,
    asubscribe,
)
from penstock.runtime import AsyncClient
from penstock.runtime.errors import RunNotFoundError

PAGE = Path(__file__).parent / "page.html"
STATUS = {RunNotFoundError: 404, CursorExpiredError: 410, RedisUnavailableError: 503}
"""HTTP statuses of errors; all others, such as a bad cursor, are 400."""


async def show_page(request: Request) -> Response:
    """Send the page that shows the streams."""
    return FileResponse(PAGE)


async def start(request: Request) -> Response:
    """Enqueue a run: `{"flow": "countdown", "input": 5}`."""
    flow, given = await _read(request, "flow", "input")
    run = await _client(request).enqueue(flow, given)
    return JSONResponse({"run_id": run.run_id}, status_code=201)


async def stream(request: Request) -> Response:
    """Send the events of a run as server-sent events, from the browser's cursor on.

    A browser that lost its connection comes back with the header Last-Event-ID and misses nothing;
    a page that is opened again gives `?after=` itself. Where there is nothing to follow any more,
    as for a cursor that has expired, the status says so before any event: the browser stays away.
    """
    given = request.headers.get("last-event-id") or request.query_params.get("after")
    run = await _client(request).get(request.path_params["run_id"])
    after = await run.cursor(given)
    if after is None:
        return Response(status_code=204)
    frames = _frames(_client(request), run.run_id, after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, media_type="text/event-stream", headers=headers)


async def answer(request: Request) -> Response:
    """Answer the question that a run waits on: `{"answer": true}`."""
    (given,) = await _read(request, "answer")
    run = await _client(request).get(request.path_params["run_id"])
    await run.resume(given)
    return Response(status_code=204)


async def _frames(client: AsyncClient, run_id: str, after: int) -> AsyncGenerator[str]:
    # Leaving this block, as when the browser goes away, ends the subscription and not the run.
    async with asubscribe(run_id, after, hub=client.hub) as events:
        async for frame in astream_sse(events):
            yield frame


async def _read(request: Request, *names: str) -> list[Any]:
    try:
        body = await request.json()
        return [body[name] for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise HTTPException(400, f"send a JSON object with {', '.join(names)}") from error


def _client(request: Request) -> AsyncClient:
    client: AsyncClient = request.app.state.client
    return client


async def _refuse(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    return JSONResponse({"error": str(error)}, status_code=status)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncGenerator[None]:
    async with AsyncClient() as client:  # one connection follows the runs of all browsers
        app.state.client = client
        yield


app = Starlette(
    routes=[
        Route("/", show_page),
        Route("/runs", start, methods=["POST"]),
        Route("/runs/{run_id}/events", stream),
        Route("/runs/{run_id}/answer", answer, methods=["POST"]),
    ],
    exception_handlers={PenstockError: _refuse},
    lifespan=_lifespan,
)
