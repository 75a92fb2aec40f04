"""A Redis that answers, but not with what was asked for."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from typing import Any

import pytest
import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Client
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def refused(client: Client, code: str) -> None:
    with pytest.raises(RedisUnavailableError, match=code):
        client.enqueue("main", {"x": 1})


def test_f31_a_replica_without_its_primary_is_waited_for(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 20, "seconds": 0.1})
    fleet.executing(run.run_id, 4)

    raw.config_set("replica-serve-stale-data", "no")
    raw.execute_command("REPLICAOF", "127.0.0.1", 1)  # where nobody is
    until(lambda: "Link with MASTER is down" in worker.text())
    refused(client, "Link with MASTER is down")
    raw.execute_command("REPLICAOF", "NO", "ONE")

    assert run.result(15) == list(range(20))
    assert worker.running
    checker.check(over=True)


def test_f31_a_redis_whose_disk_is_full_is_waited_for(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
    fleet.executing(run.run_id, 4)
    blocked = server.directory / "dump.rdb"
    blocked.mkdir()  # nothing can be written there
    raw.config_set("save", "3600 1")

    raw.bgsave()
    until(lambda: "MISCONF" in worker.text())
    refused(client, "MISCONF")
    shutil.rmtree(blocked)
    raw.bgsave()

    assert run.result(15) == list(range(30))
    assert worker.running
    checker.check(over=True)


def test_f31_a_primary_without_its_replicas_is_waited_for(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
    fleet.executing(run.run_id, 4)

    raw.config_set("min-replicas-to-write", 1)
    until(lambda: "NOREPLICAS" in worker.text())
    refused(client, "NOREPLICAS")
    raw.config_set("min-replicas-to-write", 0)

    assert run.result(15) == list(range(30))
    assert run.info().attempt == 1
    assert worker.running
    checker.check(over=True)


def test_f31_a_cluster_is_refused_with_its_own_words(start_redis: Callable[..., Any]) -> None:
    server: RedisServer = start_redis("--cluster-enabled", "yes")

    with Client(server.url) as client:
        refused(client, "cluster")


def test_f31_a_server_that_takes_no_more_clients_is_waited_for(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1})
    fleet.executing(run.run_id, 4)
    most = raw.config_get("maxclients")["maxclients"] or ""

    raw.config_set("maxclients", 1)
    raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    until(lambda: "max number of clients" in worker.text())
    with pytest.raises(RedisUnavailableError, match="max number of clients"):
        Client(server.url).enqueue("main", {"x": 1})
    raw.config_set("maxclients", most)

    assert run.result(15) == list(range(30))
    assert worker.running
    checker.check(over=True)


def test_f75_a_worker_that_may_open_few_files_does_all_its_runs(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    worker = fleet.start(environ={**QUICK, "PENSTOCK_TEST_FILES": "64"}, concurrency=100)
    runs = [client.enqueue(kind, {"steps": 3, "seconds": 0.1}) for kind in ["fan", "afan"] * 60]

    assert [run.result(30) for run in runs] == [[0, 1, 2]] * 120

    assert {run.info().attempt for run in runs} == {1}
    assert worker.running
    checker.check(over=True)


def test_f75_a_client_without_sockets_left_says_so(
    client: Client, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any, **__: Any) -> socket.socket:
        raise OSError(24, "Too many open files")

    with Client(server.url) as other:
        monkeypatch.setattr(socket, "socket", exhausted)
        with pytest.raises(RedisUnavailableError, match="Too many open files"):
            other.enqueue("main", {"x": 1}, run_id="one")

    monkeypatch.undo()
    assert client.enqueue("main", {"x": 1}, run_id="one").status() == "queued"
