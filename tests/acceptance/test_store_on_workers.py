"""What one run puts into the store, others find: on other threads, in other processes."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests.support.stored as stored
from penstock.runtime import Client, RedisStore
from tests.faults.support.workers import QUICK, Fleet

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

APP = str(Path(stored.__file__))
FACTS = {"summer": "the sea, the sea", "winter": "snow on the hills"}


@pytest.mark.parametrize(("put", "get"), [("remember", "arecall"), ("aremember", "recall")])
def test_what_a_run_learns_another_finds_by_meaning(
    fleet: Fleet, client: Client, put: str, get: str
) -> None:
    for _ in range(2):
        fleet.start(app=APP)

    learned = client.enqueue(put, {"user": "ada", "facts": FACTS}).result(10)
    client.enqueue(put, {"user": "bob", "facts": {"only": "snow, snow"}}).result(10)

    assert learned == ["summer", "winter"]
    assert client.enqueue(get, {"user": "ada", "query": "snow"}).result(10) == ["winter"]
    assert client.enqueue(get, {"user": "bob", "query": "sea"}).result(10) == ["only"]
    assert client.enqueue("spaces", "").result(10) == [("users", "ada"), ("users", "bob")]


def test_an_app_reads_what_runs_have_put(fleet: Fleet, client: Client) -> None:
    fleet.start(app=APP)
    client.enqueue("remember", {"user": "ada", "facts": FACTS}).result(10)

    item = RedisStore(fleet.url).get(("users", "ada"), "summer")

    assert item is not None
    assert item.value == {"about": "the sea, the sea"}


def test_a_replay_does_not_put_twice(fleet: Fleet, client: Client) -> None:
    worker = fleet.start(app=APP, environ={**QUICK, "PENSTOCK_TEST_FAULT": "finish:1:before:kill"})
    told = {"user": "ada", "facts": FACTS}
    # In sync durability: else what the last steps did may be recorded together with the run's end.
    run = client.enqueue("remember", told, durability="sync")
    assert worker.wait(20) == -9
    store = RedisStore(fleet.url)
    before = store.get(("users", "ada"), "summer")
    assert before is not None

    fleet.start(app=APP)

    assert run.result(20) == ["summer", "winter"]
    after = store.get(("users", "ada"), "summer")
    assert after is not None
    assert after.updated_at == before.updated_at
