from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
import rq

from penstock.publisher.redis.script import Call
from penstock.runtime import AsyncClient, Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans import queues as module
from penstock.runtime.redis.plans.queues import Overview, QueueState, overview
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.settings import Settings
from tests.support.requests import sent

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]


@pytest.fixture
def client(redis_url: str) -> Iterator[Client]:
    with Client(redis_url) as client:
        yield client


def read(client: Client) -> Overview:
    return client.do(overview(client.plans.calls))


def test_an_empty_redis_has_no_work(client: Client) -> None:
    assert client.backlog() == 0
    assert read(client) == Overview(
        [], {}, {"queued": 0, "running": 0, "suspended": 0}, {"code": 0, "thread": 0}
    )


def test_tickets_and_executed_runs_are_the_backlog(
    client: Client, redis_client: redis.Redis
) -> None:
    for _ in range(3):
        client.enqueue("main", 1)
    client.enqueue("main", 1, queue="other")
    calls = client.plans.calls
    client.do(_single(calls.take("w", "n", 8.0, 1, ("default",), busy=0, crashes=3)))

    assert client.backlog() == 3
    assert client.backlog("other") == 1
    states = {each.queue: each for each in read(client).queues}
    assert (states["default"].tickets, states["default"].running) == (2, 1)
    assert (states["other"].tickets, states["other"].running) == (1, 0)
    oldest = states["other"].oldest
    assert oldest is not None and 0 <= oldest < 20
    assert read(client).open_runs == {"queued": 3, "running": 1, "suspended": 0}


def test_an_asyncio_app_counts_the_same(redis_url: str, client: Client) -> None:
    client.enqueue("main", 1)

    async def ask() -> list[int]:
        async with AsyncClient(redis_url) as app:
            return [await app.backlog(), await app.backlog("other")]

    assert asyncio.run(ask()) == [1, 0]
    with pytest.raises(ConfigurationError, match="queue 'a b'"):
        client.backlog("a b")


def _single(call: Call) -> Plan[object]:
    return (yield call)


def test_runs_that_wait_for_something_else_are_held_and_no_backlog(client: Client) -> None:
    for _ in range(4):
        client.enqueue("main", 1, thread_id="t")
    calls = client.plans.calls
    client.enqueue("unknown", 1, queue="other")
    client.do(_single(calls.announce(_App(), 15.0)))
    client.do(_single(calls.take("w", "n", 8.0, 9, ("other",), busy=0, crashes=3, app="digest")))

    assert client.backlog() == 1
    assert client.backlog("other") == 0
    assert read(client).held == {"code": 1, "thread": 3}


class _App:
    names = ("e:main",)
    digest = "digest"


def test_those_without_a_ticket_are_not_counted_among_very_many(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPARED", 1)
    client.enqueue("main", 1)
    assert read(client).held == {"code": 0, "thread": 0}

    client.enqueue("main", 1)

    assert read(client).held == {"code": 0}


def test_the_work_of_many_queues_and_workers_is_read_in_a_few_round_trips(
    client: Client, redis_client: redis.Redis
) -> None:
    for name in ("a", "b", "c", "d"):
        client.enqueue("main", 1, queue=name)
        rq.SimpleWorker([name], name=name, connection=redis_client).register_birth()

    found, requests = sent(client, overview(client.plans.calls))

    assert found.workers == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert [(state.queue, state.tickets) for state in found.queues] == [
        (name, 1) for name in ("a", "b", "c", "d")
    ]
    assert len(requests) == 8


def test_an_rq_job_is_work_of_an_unknown_age(client: Client, redis_client: redis.Redis) -> None:
    rq.Queue("default", connection=redis_client).enqueue("operator.add", 1, 2)

    assert read(client).queues == [QueueState("default", 1, 0, None)]


def test_prefixes_do_not_see_each_others_queues(redis_url: str, client: Client) -> None:
    client.enqueue("main", 1)
    settings = Settings(redis=redis_url, prefix="shop")
    with Client(redis_url, settings=settings) as shop:
        shop.enqueue("main", 1)
        shop.enqueue("main", 1, queue="ours")

        assert [each.queue for each in read(shop).queues] == ["default", "ours"]
        assert shop.backlog() == 1
    assert [each.queue for each in read(client).queues] == ["default"]


def test_live_workers_are_counted_by_queue(client: Client, redis_client: redis.Redis) -> None:
    worker = rq.SimpleWorker(["default", "idle"], connection=redis_client)
    worker.register_birth()

    assert read(client).workers == {"default": 1, "idle": 1}

    redis_client.srem("rq:workers", worker.key)  # as others do for one that has died
    assert read(client).workers.get("default", 0) == 0
