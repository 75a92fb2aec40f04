"""How many commands a run that does nothing costs Redis, those inside of scripts counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from penstock.publisher.redis.script import Call, run_all
from penstock.runtime import Client
from penstock.runtime.journal.endings import Finished
from penstock.runtime.redis.calls import Write
from penstock.runtime.redis.plans.creation import Wanted, create

STARTED = '{"mode":"run.started","data":{"name":"steps","input":0},"time":1.0}'
FINISHED = '{"mode":"run.finished","data":{"name":"steps","status":"completed"},"time":1.0}'
AT_ONCE = 10


class App:
    """What a worker announces."""

    names = ("e:steps",)
    digest = "app"


@pytest.fixture
def client(redis_client: redis.Redis, redis_url: str) -> Iterator[Client]:
    with Client(redis_url) as client:
        run_all(redis_client, [client.plans.calls.announce(App(), 60)])
        _perform(client, redis_client)  # Redis knows the scripts, and RQ's set of queues has ours
        yield client


def _wanted(client: Client) -> list[Call]:
    plans = client.plans
    runs = [create(Wanted("steps", 0), client.settings, plans.codec) for _ in range(AT_ONCE)]
    return [plans.calls.enqueue(each, asks=False) for each in runs]


def _perform(client: Client, connection: redis.Redis) -> tuple[float, float, float]:
    """Enqueue runs, take them, end them; return the commands of each for one run."""
    calls = client.plans.calls
    enqueued, _ = _counted(connection, _wanted(client))
    take = calls.take("w", "n", 60, AT_ONCE, ["default"], app="app")
    taken, (reply,) = _counted(connection, [take])
    claims = calls.taken(reply).claims
    assert len(claims) == AT_ONCE
    write = Write(1, {"result": "0"}, [STARTED, "", FINISHED, ""], Finished("completed", None))
    ended, words = _counted(connection, [calls.write(each.lease, write, 0) for each in claims])
    assert words == [b"OK"] * AT_ONCE
    connection.delete("penstock:taken:w")
    return enqueued / AT_ONCE, taken / AT_ONCE, ended / AT_ONCE


def _counted(connection: redis.Redis, calls: list[Call]) -> tuple[int, list[Any]]:
    before = _commands(connection)
    replies: list[Any] = run_all(connection, calls)
    return _commands(connection) - before, replies


def _commands(connection: redis.Redis) -> int:
    stats: Any = connection.info("commandstats")
    return sum(each["calls"] for name, each in stats.items() if name != "cmdstat_info")


def test_a_run_costs_few_commands(client: Client, redis_client: redis.Redis) -> None:
    enqueued, taken, ended = _perform(client, redis_client)

    assert enqueued <= 12 + 1 / AT_ONCE  # the queue was empty
    assert taken <= 8
    assert ended <= 21
