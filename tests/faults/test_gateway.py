"""Streams over HTTP while gateways, workers and Redis are ended and killed."""

from __future__ import annotations

from contextlib import ExitStack

import httpx
import pytest
import redis

from penstock.runtime import Client
from tests.faults.support.flows import Work, talk
from tests.faults.support.gateways import Gateways, Reader, reading
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import until


@pytest.fixture
def gateways(fleet: Fleet) -> Gateways:
    """Starts gateways on the test's own server."""
    return Gateways(fleet)


def last_seq(raw: redis.Redis, run_id: str) -> int:
    event: bytes = raw.lindex(f"penstock:events:{run_id}", -1)  # type: ignore[assignment]
    return int(event.partition(b" ")[0])


def test_each_event_comes_once_while_gateways_and_workers_are_killed(
    fleet: Fleet, gateways: Gateways, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    both = [gateways.start(), gateways.start()]
    worker = fleet.start()
    run = client.enqueue(talk, Work(steps=60, seconds=0.1))
    with ExitStack() as stack:
        readers = list(reading(both, run.run_id, 6, stack))
        until(lambda: all(len(reader.events) > 10 for reader in readers), 30.0, "first events")

        both[0].process.kill()
        both[0] = gateways.start()
        worker.kill()
        fleet.start()
        until(lambda: all(reader.seqs[-1] > 40 for reader in readers), 30.0, "more events")
        both[1].process.term()
        until(lambda: all(reader.seqs[-1] > 60 for reader in readers), 30.0, "events after both")
        both[1] = gateways.start()

        found = [reader.wait() for reader in readers]

    assert run.status() == "completed"
    assert found == [list(range(1, last_seq(raw, run.run_id) + 1))] * len(readers)
    assert all(reader.cuts for reader in readers)
    checker.check(over=True)


def test_a_gateway_that_ends_cuts_its_streams_and_is_gone_in_time(
    fleet: Fleet, gateways: Gateways, client: Client
) -> None:
    gateway = gateways.start()
    fleet.start()
    run = client.enqueue(talk, Work(steps=200, seconds=0.1))
    with ExitStack() as stack:
        readers = list(reading([gateway], run.run_id, 4, stack))
        until(lambda: all(len(reader.events) > 3 for reader in readers), 30.0, "first events")

        gateway.process.term()
        status = gateway.process.wait(5.0)  # a second to cut streams, two for requests

    assert status == 0
    assert [reader.failure for reader in readers] == [None] * 4
    assert all(reader.cuts for reader in readers)
    assert "Traceback" not in gateway.process.text()


def test_each_event_comes_once_over_a_restart_of_redis(
    fleet: Fleet, gateways: Gateways, client: Client, server: RedisServer, raw: redis.Redis
) -> None:
    gateway = gateways.start()
    fleet.start()
    run = client.enqueue(talk, Work(steps=30, seconds=0.1))
    with Reader([gateway], run.run_id) as reader:
        until(lambda: len(reader.events) > 10, 30.0, "first events")

        server.restart()
        found = reader.wait()

    assert run.status() == "completed"
    assert found == list(range(1, last_seq(raw, run.run_id) + 1))


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_run_that_waits_keeps_its_stream_alive_by_comments(
    gateways: Gateways, client: Client
) -> None:
    gateway = gateways.start()
    run = client.enqueue(talk, Work(), queue="nobody-serves-it")
    url = f"{gateway.url}/api/runs/{run.run_id}/events"

    with httpx.stream("GET", url, timeout=10.0) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        found = [next(comments) for _ in range(2)]

    assert found == [": keep-alive"] * 2
