"""A primary dies, and a Sentinel names another: workers, clients and subscribers go on there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.publisher import Event, subscribe
from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.redis.connection import connect
from penstock.runtime import AsyncClient, Client, RedisStore
from penstock.runtime.settings import Settings
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.sentinel import Watched
from tests.support.until import until
from tests.worker.commands import penstock

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path) as watched:
        yield watched


@pytest.fixture
def client(watched: Watched) -> Iterator[Client]:
    with Client(watched.url, settings=Settings(redis=watched.url)) as client:
        yield client


@pytest.fixture
def fleet(watched: Watched, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(watched.url, tmp_path)
    yield fleet
    fleet.close()


def test_f32_a_worker_and_a_subscriber_go_on_after_the_primary_is_killed(
    watched: Watched, client: Client, fleet: Fleet
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 12, "seconds": 0.5})
    seen: list[Event] = []

    def follow() -> None:
        with subscribe(run.run_id, connection=watched.url) as events:
            seen.extend(events)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    fleet.executing(run.run_id, 3)
    watched.fail_over()

    until(lambda: status(client, run.run_id) == "completed", 60, "the run to end")
    follower.join(20)
    assert client.get(run.run_id).result(5) == list(range(12))
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].mode == "run.finished"
    assert worker.running
    again = client.enqueue("main", {"x": 1})
    assert again.result(20) == 2
    Checker(watched.replica.client()).check(over=True)


def status(client: Client, run_id: str) -> str:
    try:
        return client.get(run_id).status()
    except RedisUnavailableError:  # while there is no primary
        return ""


def test_an_asyncio_client_finds_the_new_primary(watched: Watched, fleet: Fleet) -> None:
    fleet.start()

    async def go_on() -> tuple[list[Any], Any]:
        async with AsyncClient(watched.url, settings=Settings()) as client:
            run = await client.enqueue("asteps", {"steps": 8, "seconds": 0.5})
            fleet.executing(run.run_id, 2)
            await asyncio.to_thread(watched.fail_over)
            events = [event.data async for event in run.stream("updates")]
            return events, await run.result(30)

    events, result = asyncio.run(go_on())
    assert result == list(range(8))
    assert events[-1] == {"asteps": result}


def test_a_store_serves_sync_and_asyncio_code_by_a_sentinels_url(watched: Watched) -> None:
    async def put(store: RedisStore) -> None:
        await store.aput(("a",), "k", {"v": 1})
        await store.aclose()

    store = RedisStore(watched.url, settings=Settings())
    asyncio.run(put(store))

    item = store.get(("a",), "k")
    assert item is not None and item.value == {"v": 1}


def test_the_doctor_names_the_primary(watched: Watched) -> None:
    watched.primary.client().config_set("appendfsync", "no")

    found = penstock("doctor", "--redis", watched.url)

    assert f"redis-cli -h 127.0.0.1 -p {watched.primary.port} CONFIG SET" in found.stdout


def test_without_a_primary_the_error_says_so(tmp_path: Path) -> None:
    with Watched(tmp_path) as watched:
        watched.primary.kill()
        watched.replica.kill()
        with (
            connect(watched.url) as connection,
            Client(connection, settings=Settings()) as client,
            pytest.raises(RedisUnavailableError, match="start it, or give the right URL"),
        ):
            client.enqueue("main", {"x": 1})
