"""Pages are told that runs have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from penstock.gateway.dashboard.changes import CHANGED, Changes
from penstock.publisher.sse import KEEP_ALIVE
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.dashboard.flows import FLOWS
from tests.gateway.dashboard.pages import Pages


async def until_changed(frames: AsyncGenerator[str]) -> None:
    """Return once a frame says that something has changed."""
    async for frame in frames:
        if frame == CHANGED:
            return


def test_all_pages_hear_of_changes(pages: Pages) -> None:
    client = pages.worker.aclient
    changes = Changes(client)

    async def change() -> None:
        while True:
            await client.enqueue("doubled", 1)
            await asyncio.sleep(0.1)

    async def watched() -> None:
        watchers = [changes.frames() for _ in range(3)]
        for frames in watchers:
            assert await anext(frames) == KEEP_ALIVE
            assert await anext(frames) == CHANGED
        changing = asyncio.ensure_future(change())
        async with asyncio.timeout(20):
            for _ in range(2):
                await asyncio.gather(*map(until_changed, watchers))
        changing.cancel()
        for frames in watchers:
            await frames.aclose()

    pages.do(watched())


def test_nobody_looks_when_nobody_watches_and_again_when_somebody_does() -> None:
    async def watched(worker: InMemoryWorker) -> None:
        async with worker.aclient:
            changes = Changes(worker.aclient)
            before = asyncio.all_tasks()
            for _ in range(2):
                frames = changes.frames()
                assert await anext(frames) == KEEP_ALIVE
                assert len(asyncio.all_tasks() - before) == 1
                await frames.aclose()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert asyncio.all_tasks() == before

    with InMemoryWorker(FLOWS) as worker:
        asyncio.run(watched(worker))


def test_an_error_does_not_end_the_looks(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("penstock.gateway.dashboard.changes.EVERY", 0.01)
    client = pages.worker.aclient
    read, looks = client.counts, 0

    async def counts() -> dict[str, int]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise ValueError("what nobody expects")
        return {**await read(), "look": looks}

    monkeypatch.setattr(client, "counts", counts)

    async def watched() -> None:
        frames = Changes(client).frames()
        async with asyncio.timeout(10):
            for _ in range(3):  # the last is of a look after the errors
                await anext(frames)
        await frames.aclose()

    pages.do(watched())

    assert [record.message for record in caplog.records].count(
        "looking for changes of runs has failed"
    ) == 1


def test_a_page_hears_of_changes_over_its_stream(pages: Pages) -> None:
    found: list[str] = []

    async def listened() -> None:
        sent = asyncio.Event()

        async def receive() -> dict[str, str]:
            await sent.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            found.append(str(message.get("body", b"")))
            if len(found) == 2:
                sent.set()

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/dashboard/changes",
            "raw_path": b"/dashboard/changes",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
        }
        await pages.app(scope, receive, send)  # type: ignore[arg-type]

    pages.do(listened())

    assert KEEP_ALIVE.strip() in found[1]
