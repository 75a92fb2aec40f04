"""The doctor finds threads that are listed wrongly, and puts them right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher.codec.codec import Codec
from penstock.runtime import Client
from penstock.runtime.diagnostics.doctor import examine, listed_threads
from penstock.runtime.diagnostics.doctor.examination import read_redis
from penstock.runtime.diagnostics.doctor.listed_threads import read_unlisted, relist
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.plans.thread_search import ThreadSearch
from penstock.runtime.settings import Settings
from penstock.runtime.types.thread_record import ThreadQuery, ThreadStatus
from tests.support.attempts import ask
from tests.worker.commands import penstock

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url, settings=Settings(redis=redis_url)) as client:
        records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
        for name in ("asks", "busy", "idle"):
            client.do(records.create(name, {"kind": name}))
        ask(client, client.enqueue("main", 1, thread_id="asks").run_id)
        client.enqueue("main", 1, thread_id="busy")
        yield client


def wrong(client: Client) -> list[str]:
    return read_unlisted(client.connection, client.plans.keys)


def counts(client: Client) -> list[int]:
    search = ThreadSearch(ThreadRecords(client.plans.keys, client.plans.codec, client.settings))
    queries = [ThreadQuery(), *(ThreadQuery(metadata={"kind": x}) for x in ("asks", "idle"))]
    queries += [ThreadQuery(status=status) for status in ThreadStatus]
    return [client.do(search.count(query)) for query in queries]


def test_lists_that_are_right_are_not_complained_of(client: Client) -> None:
    assert wrong(client) == []


def test_more_threads_than_are_looked_at_are_not_complained_of(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists are in different orders, so that each has others for its newest."""
    monkeypatch.setattr(listed_threads, "LOOKED_AT", 3)
    monkeypatch.setattr(listed_threads, "AT_ONCE", 2)
    records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
    for number in range(6):
        client.do(records.create(f"t{number}", {}))
    client.do(records.merge("t0", {"n": 1}))

    assert wrong(client) == []
    client.connection.zrem("penstock:threads", "t5")
    assert wrong(client) == ["t5"]


@pytest.mark.parametrize(
    "harm",
    [
        ("delete", "penstock:threads"),
        ("delete", "penstock:threads:busy"),
        ("delete", "penstock:threads:created"),
        ("zadd", "penstock:threads:error", {"idle": 1}),
        ("hset", f"penstock:thread:{thread_key('asks')}", "listed", "idle"),
        ("zadd", "penstock:threads", {"nobody": 1}),
    ],
)
def test_lists_that_disagree_are_found_and_put_right(client: Client, harm: Any) -> None:
    before = counts(client)
    command, *arguments = harm
    raw: Any = client.connection
    getattr(raw, command)(*arguments)

    found = wrong(client)
    assert found
    assert relist(client.connection, client.plans.keys, Codec(), found) == found

    assert wrong(client) == []
    assert counts(client) == before


def test_penstock_doctor_says_so_and_fixes_it(client: Client, redis_url: str) -> None:
    client.connection.delete("penstock:threads:idle")

    [finding] = [each for each in examine(_read(client)) if each.check == "threads"]
    assert finding.message == "1 thread is listed wrongly: idle"
    done = penstock("doctor", "--fix", "--redis", redis_url)

    assert "listed again: idle" in done.stdout
    assert wrong(client) == []


def _read(client: Client) -> Any:
    return read_redis(client.connection, client.settings)
