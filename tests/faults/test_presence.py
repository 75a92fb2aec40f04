"""A death is known by the connection that the kernel closes, and a cut connection is no death."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import redis

from penstock.publisher.redis.script import run as send
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.redis.calls import Calls, Death
from penstock.runtime.settings import Settings
from penstock.worker.process.presence import GRACE
from penstock.worker.process.recovery import Recovery
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.server import RedisServer
from tests.support.until import until

LONG = {"PENSTOCK_LEASE": "60", "PENSTOCK_RENEW": "1"}
"""Leases that no test waits for."""


def noted(raw: redis.Redis, workers: int) -> bool:
    """Tell whether so many workers have noted that they listen."""
    keys: Any = raw.smembers("rq:workers")
    return sum(bool(raw.hget(key, "penstock_presence")) for key in keys) == workers


def deaths(raw: redis.Redis, run: RunHandle) -> int:
    counted: Any = raw.hget(f"penstock:run:{run.run_id}", "deaths")
    return int(counted or 0)


def goes_on(fleet: Fleet, run: RunHandle, victim: WorkerProcess) -> bool:
    return bool(fleet.journal(run.run_id)[-1]["pid"] != victim.pid)


def one_of(workers: list[WorkerProcess], pid: int) -> WorkerProcess:
    return next(worker for worker in workers if worker.pid == pid)


def test_f120_runs_of_a_killed_host_go_on_long_before_their_leases_end(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start(environ=LONG), fleet.start(environ=LONG)]
    runs = [client.enqueue("steps", {"steps": 40, "seconds": 0.2}) for _ in range(8)]
    for run in runs:
        fleet.executing(run.run_id, 2)
    until(lambda: noted(raw, 2))

    victim = one_of(workers, fleet.journal(runs[0].run_id)[0]["pid"])
    lost = [run for run in runs if fleet.journal(run.run_id)[0]["pid"] == victim.pid]
    victim.kill()
    struck = time.monotonic()

    for run in lost:
        until(partial(goes_on, fleet, run, victim))
    assert time.monotonic() - struck < 10, "the leases are for a minute"
    (survivor,) = [worker for worker in workers if worker is not victim]
    assert survivor.logged("worker.lost")
    assert raw.scard("rq:workers") == 1
    for run in runs:
        assert run.result(30) == list(range(40))
    for run in lost:
        assert (run.info().attempt, deaths(raw, run)) == (2, 1)
        assert raw.hget(f"penstock:run:{run.run_id}", "death:1") == (
            b"its connection to Redis was closed"
        )
    checker.check(over=True)


def test_a_frozen_worker_is_not_taken_for_dead_before_its_leases_end(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start(environ=LONG), fleet.start(environ=LONG)]
    run = client.enqueue("steps", {"steps": 10, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    until(lambda: noted(raw, 2))
    frozen = one_of(workers, fleet.journal(run.run_id)[0]["pid"])

    frozen.stop()
    time.sleep(4 * GRACE + 1)  # the fault itself
    frozen.cont()

    assert run.result(20) == list(range(10))
    assert run.info().attempt == 1
    checker.check(over=True)


def test_f121_a_cut_connection_is_no_death(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start(), fleet.start()]
    run = client.enqueue("steps", {"steps": 30, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    until(lambda: noted(raw, 2))

    for _ in range(2):
        raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        time.sleep(1.2)  # so that each cut is one by itself

    assert run.result(20) == list(range(30))
    assert run.info().attempt == 1
    assert not any(worker.logged("worker.lost") for worker in workers)
    checker.check(over=True)


@contextmanager
def kept_cut(raw: redis.Redis) -> Generator[None]:
    """Cut whoever listens, and let nobody listen again."""
    raw.execute_command("ACL", "SETUSER", "default", "-subscribe")
    raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    try:
        yield
    finally:
        raw.execute_command("ACL", "SETUSER", "default", "+subscribe")


def test_f122_a_worker_that_was_wrongly_taken_for_dead_goes_on_and_its_run_has_no_death(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    workers = [fleet.start(environ=LONG), fleet.start(environ=LONG)]
    run = client.enqueue("steps", {"steps": 60, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    until(lambda: noted(raw, 2))

    with kept_cut(raw):
        until(lambda: run.info().attempt > 1)

    assert run.result(30) == list(range(60))
    until(lambda: deaths(raw, run) == 0)
    until(lambda: raw.scard("rq:workers") == 2)
    until(lambda: noted(raw, 2))
    assert all(worker.running for worker in workers)
    assert [client.enqueue("main", {"x": 5}).result(10) for _ in range(4)] == [10] * 4
    checker.check(over=True)


def test_a_server_that_was_started_anew_tells_of_no_death(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis, checker: Checker
) -> None:
    for _ in range(2):
        fleet.start(environ=LONG)
    run = client.enqueue("steps", {"steps": 40, "seconds": 0.1})
    fleet.executing(run.run_id, 2)
    until(lambda: noted(raw, 2))
    before = raw.hget(_worker_key(raw), "penstock_presence")

    server.kill()
    server.start()

    assert run.result(30) == list(range(40))
    assert (run.info().attempt, deaths(raw, run)) == (1, 0)
    until(lambda: noted(raw, 2) and raw.hget(_worker_key(raw), "penstock_presence") != before)
    checker.check(over=True)


def _worker_key(raw: redis.Redis) -> str:
    keys: Any = raw.smembers("rq:workers")
    return str(min(keys).decode())


def test_workers_that_note_nothing_here_are_left_alone(raw: redis.Redis) -> None:
    server: Any = raw.info("server")["run_id"]
    for name, text in {
        "plain": "",
        "shop": f"{server} shop:presence:shop token",
        "before": "another-start penstock:presence:before token",
        "dead": f"{server} penstock:presence:dead token",
    }.items():
        raw.sadd("rq:workers", f"rq:worker:{name}")
        raw.hset(f"rq:worker:{name}", "birth", "x")
        if text:
            raw.hset(f"rq:worker:{name}", "penstock_presence", text)
    recovery = Recovery(raw, Settings())

    for _ in range(2):
        recovery.check()
        time.sleep(GRACE)
    recovery.check()

    left: Any = raw.smembers("rq:workers")
    assert left == {b"rq:worker:plain", b"rq:worker:shop", b"rq:worker:before"}
    assert not raw.exists("rq:worker:dead")


def test_who_may_not_ask_who_listens_takes_nobody_for_dead(raw: redis.Redis) -> None:
    server: Any = raw.info("server")["run_id"]
    raw.sadd("rq:workers", "rq:worker:w")
    raw.hset("rq:worker:w", "penstock_presence", f"{server} penstock:presence:w token")
    raw.execute_command("ACL", "SETUSER", "poor", "on", "nopass", "~*", "&*", "+@all", "-pubsub")
    try:
        port = raw.connection_pool.connection_kwargs["port"]
        with redis.Redis(port=port, username="poor", password="x") as poor:
            recovery = Recovery(poor, Settings())
            for _ in range(2):
                recovery.check()
                time.sleep(GRACE)
            recovery.check()
    finally:
        raw.execute_command("ACL", "DELUSER", "poor")

    assert raw.scard("rq:workers") == 1


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_death_is_looked_at_again_as_the_leases_end(
    client: Client, raw: redis.Redis, checker: Checker
) -> None:
    calls = Calls(client.plans.keys)
    run = client.enqueue("main", {"x": 1})
    send(raw, calls.acquire(run.run_id, "w", "n", 60))
    raw.hset("rq:worker:w", "penstock_presence", "server channel token")

    def end(presence: str) -> str:
        death = Death("w", "it does not listen", (run.run_id,), presence)
        send(raw, calls.recover(3, 60, death))
        return run.status()

    with raw.pubsub() as pubsub:
        pubsub.subscribe("penstock:presence:w")
        until(lambda: raw.pubsub_numsub("penstock:presence:w")[0][1] == 1)
        assert end("server channel token") == "running", "it listens again"
    until(lambda: raw.pubsub_numsub("penstock:presence:w")[0][1] == 0)
    assert end("server channel of-another") == "running", "its name is another's"
    assert end("server channel token") == "queued"
    checker.check()
