"""Many open streams of one gateway: the memory that each takes, and how late events come."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.filling import Filling
from benchmarks.gateway import gateway, served
from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample, percentile
from benchmarks.processes import connected
from penstock.publisher import Publisher
from penstock.runtime import Client

__all__ = ["idle_app", "open_streams"]

PAGE = os.sysconf("SC_PAGE_SIZE")

FEW = 10
"""Streams beside which many are measured."""

WARM = 50
"""Streams that a process has had before its memory is read."""

Reader = asyncio.StreamReader


def open_streams(bench: Bench) -> list[Row]:
    """Each stream follows a run of its own, which waits for a worker."""
    count = bench.scale.streams
    with (
        gateway(bench.url) as (port, pid),
        served(["-c", IDLE]) as (bare_port, bare_pid),
        connected(bench.url) as connection,
        Client(bench.url) as client,
    ):
        filling = Filling(client, connection)
        ids, other = filling.queue(count), filling.queue(min(FEW, count))
        paths = [f"/api/runs/{each}/events" for each in ids]
        # Memory first: what a process has once held is not given back.
        ours = asyncio.run(_memory(port, pid, paths))
        bare = asyncio.run(_memory(bare_port, bare_pid, ["/"] * count))
        few = asyncio.run(_lag(bench, port, other))
        many = asyncio.run(_lag(bench, port, ids))
        for each in (*ids, *other):
            client.get(each).cancel()
    memory = Row(
        f"memory of an idle stream of a gateway, {count:,} of them",
        "KiB",
        *(ours, bare),
        [Bar(AT_MOST, 2, "ratio")],
        "of a bare Starlette app",
    )
    lag = Row(
        f"an event a second on each of {count:,} streams of a gateway, p99 to the client",
        "ms",
        *(many, few),
        [Bar(AT_MOST, 250)],
        f"on {FEW} of them",
    )
    return [memory, lag]


async def _memory(port: int, pid: int, paths: Sequence[str]) -> Sample:
    async with _opened(port, paths[:WARM]):
        pass
    before = _resident(pid)
    async with _opened(port, paths):
        return Sample((max(_resident(pid) - before, PAGE) / len(paths) / 1024,))


async def _lag(bench: Bench, port: int, ids: Sequence[str]) -> Sample:
    """Return how late an event is seen, of all that were published meanwhile."""
    lags: list[float] = []

    async def read(reader: Reader) -> None:
        while line := await reader.readline():
            if line.startswith(b'data: {"seq":') and b'"mode":"custom"' in line:
                sent = float(line.partition(b'"data":')[2].partition(b",")[0])
                lags.append((time.time() - sent) * 1e3)

    async with _opened(port, [f"/api/runs/{each}/events" for each in ids]) as readers:
        tasks = [asyncio.ensure_future(read(each)) for each in readers]
        sent = await asyncio.to_thread(_publish, bench, ids)
        deadline = time.monotonic() + 30.0
        while len(lags) < sent and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(lags) == sent, f"{sent - len(lags)} of {sent} events did not come"
    return Sample((percentile(lags, 0.99),))


def _publish(bench: Bench, ids: Sequence[str]) -> int:
    """Publish an event of each run a second, evenly; returns how many."""
    sent = 0
    with Publisher(bench.url) as publisher:
        began = time.monotonic()
        for run_id, due in _due(ids, bench.scale.watched):
            time.sleep(max(0.0, began + due - time.monotonic()))
            publisher.publish(run_id, [("custom", time.time())])
            sent += 1
    return sent


def _due(ids: Sequence[str], seconds: float) -> Iterator[tuple[str, float]]:
    for number in range(round(seconds * len(ids))):
        yield ids[number % len(ids)], number / len(ids)


@asynccontextmanager
async def _opened(port: int, paths: Sequence[str]) -> AsyncGenerator[list[Reader]]:
    """Open streams, and wait for the first event of each."""
    readers: list[Reader] = []
    writers: list[asyncio.StreamWriter] = []
    for path in paths:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        readers.append(reader)
        writers.append(writer)
    for reader in readers:
        await reader.readuntil(b"data: ")
        await reader.readuntil(b"\n\n")
    yield readers
    for writer in writers:
        writer.close()
    await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


def _resident(pid: int) -> int:
    """Bytes that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


IDLE = """
import sys
import uvicorn
from benchmarks.gateway_streams import idle_app
uvicorn.run(idle_app(), port=int(sys.argv[2]), log_level="error")
"""


def idle_app() -> Any:
    """Make an app that sends one frame, and then nothing."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    async def frames() -> AsyncIterator[bytes]:
        yield b"data: {}\n\n"
        await asyncio.Event().wait()

    async def stream(request: Request) -> Response:
        return StreamingResponse(frames(), media_type="text/event-stream")

    return Starlette(routes=[Route("/", stream)])
