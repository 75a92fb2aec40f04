"""A replica takes over that does not have all of what its primary had promised."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.errors import CursorExpiredError
from penstock.runtime import Client
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.proxy import Proxy
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class Pair:
    """A primary and its replica; clients of `url` reach whichever leads."""

    def __init__(self, old: RedisServer, new: RedisServer, fleet: Fleet) -> None:
        self.old, self.new = old, new
        self.proxy = Proxy(old.port)
        self.url = self.proxy.url
        self.fleet = fleet
        self.follow(new, old)

    def follow(self, replica: RedisServer, primary: RedisServer) -> None:
        """Let one be the other's replica, with all its data."""
        replica.client().execute_command("REPLICAOF", "127.0.0.1", primary.port)

        def linked() -> bool:
            info: Any = replica.client().info("replication")
            return info["master_link_status"] == "up" and not info["master_sync_in_progress"]

        until(linked, 15, "a replica that is in sync")
        self.settle(primary)

    def settle(self, primary: RedisServer) -> None:
        """Return once the replica has all that was written."""
        assert primary.client().execute_command("WAIT", 1, 5000) == 1

    def part(self) -> None:
        """Cut the two apart: the replica leads what it has, the old primary goes on."""
        self.new.client().execute_command("REPLICAOF", "NO", "ONE")

    def worker(self, server: RedisServer | None = None) -> WorkerProcess:
        return self.fleet.start(url=server.url if server is not None else self.url)

    def close(self) -> None:
        self.fleet.close()
        self.proxy.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with RedisServer() as old, RedisServer() as new:
        pair = Pair(old, new, Fleet(old.url, tmp_path))
        try:
            yield pair
        finally:
            pair.close()


@pytest.fixture
def client(pair: Pair) -> Iterator[Client]:
    with Client(pair.url) as client:
        yield client


def fence_of(server: RedisServer, run_id: str) -> str:
    found: Any = server.client().hget(f"penstock:run:{run_id}", "fence")
    return (found or b"").decode()


def checker(server: RedisServer) -> Checker:
    return Checker(redis.Redis(port=server.port))


def test_f33_a_failover_that_loses_a_claim_fences_its_owner_of_the_same_epoch(
    pair: Pair, client: Client
) -> None:
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
    pair.settle(pair.old)
    pair.part()
    first = pair.worker()
    pair.fleet.executing(run.run_id, 3)
    second = pair.worker(pair.new)
    until(lambda: fence_of(pair.new, run.run_id), 10)
    fences = [fence_of(server, run.run_id).partition(".") for server in (pair.old, pair.new)]

    pair.proxy.switch(pair.new.port)

    assert run.result(20) == list(range(30))
    assert [fence[0] for fence in fences] == ["1", "1"]
    assert fences[0][2] != fences[1][2]
    until(lambda: first.logged("run.lost"), 10)
    assert first.running
    assert {entry["pid"] for entry in pair.fleet.journal(run.run_id)} == {first.pid, second.pid}
    checker(pair.new).check(over=True)


def test_f34_an_attempt_whose_steps_a_failover_has_lost_begins_anew(
    pair: Pair, client: Client
) -> None:
    worker = pair.worker()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.15}, durability="sync")
    pair.fleet.executing(run.run_id, 4)
    pair.settle(pair.old)
    pair.part()
    lost = pair.fleet.executing(run.run_id, 9)

    pair.proxy.switch(pair.new.port)

    assert run.result(30) == list(range(30))
    assert run.info().attempt == 2
    assert worker.logged("run.lost")
    assert pair.fleet.executions(run.run_id)[lost["step"]] == 2
    recorded = checker(pair.new).check(over=True).checkpoints(run.run_id)
    assert {f"astep:{number}" for number in range(30)} <= recorded.keys()


def test_f34_a_failover_that_loses_an_end_is_seen_by_who_saw_the_end(
    pair: Pair, client: Client
) -> None:
    pair.worker()
    run = client.enqueue("ask", "well?")
    reaches(run, RunStatus.SUSPENDED)
    pair.settle(pair.old)
    pair.part()
    run.resume("yes")
    reaches(run, RunStatus.COMPLETED)
    with subscribe(run.run_id, connection=pair.url) as events:
        last = list(events)[-1]

    pair.proxy.switch(pair.new.port)

    assert run.status() is RunStatus.SUSPENDED
    with pytest.raises(CursorExpiredError):
        with subscribe(run.run_id, after=last.seq, connection=pair.url, timeout=5) as events:
            list(events)
    run.resume("yes")
    assert run.result(10) == [1, "yes", 2]
    checker(pair.new).check(over=True)


def test_f35_of_two_primaries_one_wins_whole(pair: Pair, client: Client) -> None:
    runs = [client.enqueue("talk", {"steps": 12, "seconds": 0.1}) for _ in range(4)]
    pair.settle(pair.old)
    pair.part()
    first, second = pair.worker(pair.old), pair.worker(pair.new)
    for run in runs:
        for server in (pair.old, pair.new):
            until(partial(fence_of, server, run.run_id), 10)

    with Client(pair.new.url) as new, Client(pair.old.url) as old:
        results = [new.get(run.run_id).result(20) for run in runs]
        for run in runs:
            old.get(run.run_id).result(20)
    before = checker(pair.new).check(over=True)
    pair.follow(pair.old, pair.new)

    now = checker(pair.old).check(over=True)
    assert results == [12] * 4
    for run in runs:
        assert now.events(run.run_id) == before.events(run.run_id)
        assert fence_of(pair.old, run.run_id) == fence_of(pair.new, run.run_id)
    assert first.running
    assert second.running
