"""Runs and streams over HTTP, beside the same without it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx

from benchmarks.harness import AT_LEAST, AT_MOST, Bar, Bench, Row, Sample, percentile, rounds
from benchmarks.processes import penstock_worker, started, wait_until
from penstock.publisher import asubscribe
from penstock.runtime import Client

__all__ = ["bare_app", "gateway", "over_http", "served"]

WORK = 0.02  # seconds that a run goes on after its first event
FRAME = b'id: 1\nevent: custom\ndata: {"seq":1,"data":1796065541.904}\n\n'


def over_http(bench: Bench) -> list[Row]:
    with (
        penstock_worker(bench.url),
        gateway(bench.url) as (port, _),
        Client(bench.url) as client,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=60.0) as api,
    ):
        api.get("/runs").raise_for_status()
        return [
            *_events(bench, client, port),
            *_first_event(bench, client, api),
            _result(bench, client, api),
        ]


def _events(bench: Bench, client: Client, port: int) -> list[Row]:
    count = bench.scale.events // 2
    run = client.enqueue("tokens", count)
    run.result(60.0)

    def over_http() -> float:
        return count / _read(port, f"/api/runs/{run.run_id}/events", b"event: run.finished")

    def in_process() -> float:
        return count / asyncio.run(_subscribed(bench.url, run.run_id))

    with served(["-c", BARE, str(count)]) as (bare_port, _):

        def bare() -> float:
            return count / _read(bare_port, "/", b"event: end")

        parts = {"gateway": over_http, "subscribe": in_process, "bare": bare}
        found = rounds(bench.scale.long_rounds, parts)
    name = f"{count:,} stored events of one run over HTTP"
    return [
        Row(name, "events/s", found["gateway"], found[limit], [bar], beside_name)
        for limit, bar, beside_name in (
            ("subscribe", Bar(AT_LEAST, 0.5, "ratio"), "asubscribe in this process"),
            ("bare", Bar(AT_LEAST, 0.12, "ratio"), "a bare Starlette app, one write a frame"),
        )
    ]


def _first_event(bench: Bench, client: Client, api: httpx.Client) -> list[Row]:
    """Each round has many runs over HTTP and as many without, by turns."""
    ours: list[list[float]] = []
    direct: list[list[float]] = []
    for number in range(-1, bench.scale.long_rounds):
        ours.append([])
        direct.append([])
        for _ in range(bench.scale.latencies if number >= 0 else 5):
            ours[-1].append(_timed_http(api))
            direct[-1].append(_timed(client))
    limits = {0.5: [Bar(AT_MOST, 2.5, "ratio"), Bar(AT_MOST, 12)], 0.99: [Bar(AT_MOST, 40)]}
    return [
        Row(
            f"request to first event of the worker over HTTP, p{share * 100:.0f}",
            "ms",
            Sample(tuple(percentile(values, share) for values in ours[1:])),
            Sample(tuple(percentile(values, share) for values in direct[1:])),
            bars,
            "enqueue and stream of a client",
        )
        for share, bars in limits.items()
    ]


def _timed_http(api: httpx.Client) -> float:
    began = time.perf_counter()
    answer = api.post("/runs", json={"entrypoint": "first", "input": WORK})
    path = f"/runs/{answer.json()['run_id']}/events"
    with api.stream("GET", path, params={"mode": "custom"}) as stream:
        next(line for line in stream.iter_lines() if line.startswith("data: "))
        return (time.perf_counter() - began) * 1e3


def _timed(client: Client) -> float:
    began = time.perf_counter()
    next(client.enqueue("first", WORK).stream("custom"))
    return (time.perf_counter() - began) * 1e3


def _result(bench: Bench, client: Client, api: httpx.Client) -> Row:
    def over_http() -> float:
        began = time.perf_counter()
        answer = api.post("/runs", json={"entrypoint": "noop", "input": 1})
        path = f"/runs/{answer.json()['run_id']}/result"
        assert api.get(path).json()["status"] == "completed"
        return (time.perf_counter() - began) * 1e3

    def direct() -> float:
        began = time.perf_counter()
        client.enqueue("noop", 1).result(10.0)
        return (time.perf_counter() - began) * 1e3

    found = rounds(bench.scale.rounds, {"gateway": over_http, "client": direct})
    bars = [Bar(AT_MOST, 2, "ratio")]
    name = "result of a run that does nothing, over HTTP"
    return Row(name, "ms", found["gateway"], found["client"], bars, "enqueue and result")


async def _subscribed(url: str, run_id: str) -> float:
    began = time.perf_counter()
    async with asubscribe(run_id, connection=url) as events:
        async for _ in events:
            pass
    return time.perf_counter() - began


def _read(port: int, path: str, end: bytes) -> float:
    """Read a stream from a socket, until its last event; returns the seconds that it took."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        last = b""
        while end not in last:
            piece = client.recv(1 << 18)
            assert piece, "the stream has no end"
            last = last[-len(end) :] + piece
    return time.perf_counter() - began


def gateway(url: str) -> AbstractContextManager[tuple[int, int]]:
    """A gateway of a Redis: its port, and the id of its process."""
    return served(["-m", "penstock.worker.cli", "serve", "--redis", url])


@contextmanager
def served(arguments: list[str]) -> Generator[tuple[int, int]]:
    """A process that is told where to serve: its port, and its id."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]

    def is_ready() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    with started([*arguments, "--port", str(port)], is_ready) as process:
        wait_until(is_ready)
        yield port, process.pid


BARE = """
import sys
import uvicorn
from benchmarks.gateway import bare_app
uvicorn.run(bare_app(int(sys.argv[1])), port=int(sys.argv[3]), log_level="error")
"""


def bare_app(count: int) -> Any:
    """Make an app that sends so many frames, and does nothing else."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def frames() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield FRAME
        yield b"event: end\ndata: " + json.dumps({}).encode() + b"\n\n"

    async def stream(request: Request) -> Response:
        return StreamingResponse(frames(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", stream)])
