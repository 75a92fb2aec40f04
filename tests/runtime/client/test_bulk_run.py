"""The same done to many runs, as a run of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.runtime import AsyncClient, Client
from penstock.runtime.client.bulk_run import bulk_entrypoint
from penstock.runtime.types.bulk import BULK, bulk_order
from penstock.worker import Worker
from tests.support.attempts import end

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url) as client:
        yield client


def work(url: str) -> None:
    entrypoints = {BULK: bulk_entrypoint(lambda: AsyncClient(url))}
    Worker(["bulk"], connection=url, entrypoints=entrypoints).work(burst=True)


def test_a_worker_does_it_page_by_page(client: Client, redis_url: str) -> None:
    for number in range(150):
        end(client, client.enqueue("main", number).run_id, "failed")
    client.enqueue("other", 1)

    run = client.start_bulk("resume", entrypoint="main", rate=1000, worker_queue="bulk")
    work(redis_url)

    assert run.result(5) == {"done": 150, "skipped": 0}
    assert [each.data for each in run.stream("custom")] == [
        {"done": 100, "skipped": 0},
        {"done": 150, "skipped": 0},
    ]
    assert client.count(entrypoint="main", status="queued") == 150


def test_an_attempt_that_lost_its_run_leaves_the_next_one_its_client(
    client: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = bulk_entrypoint(lambda: AsyncClient(redis_url))
    order = bulk_order("cancel", {"entrypoint": "main"}, rate=100).written()
    for number in range(250):
        client.enqueue("main", number)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))  # both are of one run

    async def attempt(until: int) -> asyncio.Task[Any]:
        """Begin an attempt; returns it when so many runs are cancelled, and it makes a pause."""
        begun = asyncio.create_task(bulk.ainvoke(order))
        while client.counts().get("cancelled", 0) < until:
            await asyncio.sleep(0.01)
        return begun

    async def attempt_twice() -> None:
        lost, following = await attempt(100), await attempt(200)
        lost.cancel()
        await following

    asyncio.run(attempt_twice())

    assert client.counts() == {"cancelled": 250}


def test_all_are_cancelled_but_the_run_that_does_it(client: Client, redis_url: str) -> None:
    for number in range(3):
        client.enqueue("main", number)

    async def start() -> str:
        async with AsyncClient(redis_url) as other:
            return (await other.start_bulk("cancel", all=True, worker_queue="bulk")).run_id

    run = client.get(asyncio.run(start()))
    work(redis_url)

    assert run.result(5) == {"done": 3, "skipped": 0}
    assert client.counts() == {"cancelled": 3, "completed": 1}
