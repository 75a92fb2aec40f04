"""The name of a worker that has died goes to the next one; that of a live one does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from rq import Queue

from penstock.publisher.errors import ConfigurationError
from penstock.runtime import Client
from penstock.worker.process import registration
from penstock.worker.process.registration import Registration, identity, running
from penstock.worker.process.rq_worker import RQWorker
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

__all__ = ["checker", "client", "fleet", "raw", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

KEY = "rq:worker:w"
ELSEWHERE = "another-boot:4026531836:1:57"


class Idle(RQWorker):
    """As RQ knows a worker; it has nothing to do."""

    def stop_job(self, job_id: str) -> None: ...


class Registered:
    """Registers workers named `w`."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        self.given_back: list[str] = []

    def another(self) -> Registration:
        worker = Idle(["default"], name="w", connection=self._connection)
        return Registration(worker, self.given_back.append)


@pytest.fixture
def registered(redis_client: redis.Redis) -> Iterator[Registered]:
    yield Registered(redis_client)
    redis_client.delete(KEY)


def test_a_worker_that_was_killed_gives_its_name_and_its_runs_to_the_next_one_at_once(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    first = fleet.start(name="w", environ={"PENSTOCK_LEASE": "60", "PENSTOCK_RENEW": "10"})
    run = client.enqueue("steps", {"steps": 4, "seconds": 0.5})
    fleet.executing(run.run_id, 2)
    first.kill()

    again = fleet.start(name="w")

    assert run.result(20) == [0, 1, 2, 3], "though its lease was for a minute"
    assert run.info().crashes == 1
    assert again.logged("worker.replaced")
    assert raw.smembers("rq:workers") == {b"rq:worker:w"}
    checker.check(over=True)


def test_two_live_workers_of_one_name_are_refused(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start(name="w")

    done = subprocess.run(
        [sys.executable, "-m", "penstock.worker.cli", "worker", "--name", "w", "flows.py"],
        cwd=Path(__file__).parents[2] / "faults" / "support",
        env=os.environ | {"PENSTOCK_REDIS_URL": fleet.url},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 1
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "a worker named 'w' is alive" in sentence
    assert "--name" in sentence
    assert "Traceback" not in done.stderr
    assert raw.scard("rq:workers") == 1
    assert client.enqueue("main", {"x": 5}).result(10) == 10


def test_a_worker_that_has_ended_leaves_its_name_free(registered: Registered) -> None:
    first = registered.another()
    assert first.take()
    first.release()

    assert registered.another().take()
    assert registered.given_back == []


def test_a_worker_elsewhere_that_beats_keeps_its_name(
    registered: Registered, redis_client: redis.Redis
) -> None:
    """Also one of the same host name and process id: in containers, those tell nothing."""
    assert registered.another().take()
    redis_client.hset(KEY, "penstock_process", ELSEWHERE)
    second = registered.another()
    assert not second.take(), "nobody knows yet"
    redis_client.hset(KEY, "last_heartbeat", "2026-11-29T12:00:00.000000Z")

    with pytest.raises(ConfigurationError, match="a worker named 'w' is alive"):
        second.take()

    assert registered.given_back == []


def test_a_worker_elsewhere_that_beats_no_more_loses_its_name(
    registered: Registered, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "SILENCE", 0.2)
    lost = registered.another()
    assert lost.take()
    redis_client.hset(KEY, "penstock_process", ELSEWHERE)
    second = registered.another()
    assert not second.take()

    until(second.take)

    (reason,) = registered.given_back
    assert "died, another has taken its name" in reason
    assert second.is_held()
    assert not lost.is_held()
    lost.release()
    assert second.is_held(), "the name is none of the lost one's any more"


def test_a_worker_of_an_older_release_gets_longer_to_beat(
    registered: Registered, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "SILENCE", 0.0)
    assert registered.another().take()
    redis_client.hdel(KEY, "penstock_process", "penstock_token")
    second = registered.another()

    assert not second.take()
    assert not second.take()

    monkeypatch.setattr(registration, "SILENCE_OF_OTHERS", 0.0)
    assert second.take()


def test_of_two_that_take_a_name_over_at_once_one_gets_it(
    registered: Registered, redis_client: redis.Redis
) -> None:
    redis_client.hset(KEY, mapping={"birth": "x", "penstock_process": "", "last_heartbeat": "1"})
    rivals = [registered.another() for _ in range(2)]
    for rival in rivals:
        assert not rival.take()
    redis_client.delete(KEY)

    assert rivals[0].take()
    with pytest.raises(ConfigurationError):
        rivals[1].take()


def test_a_worker_whose_name_was_taken_ends(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    """One that was frozen for long, and taken for dead."""
    frozen = fleet.start(name="w")
    frozen.stop()
    raw.hset("rq:worker:w", "penstock_process", ELSEWHERE)
    other = fleet.start(name="w", ready=False)
    other.ready(timeout=30)

    frozen.cont()

    assert frozen.wait(10) == 0
    assert "another worker has taken the name w" in frozen.text()
    assert raw.exists("rq:worker:w"), "the other one's"
    assert client.enqueue("main", {"x": 5}).result(10) == 10
    checker.check(over=True)


def test_a_registration_that_redis_has_lost_comes_back(
    registered: Registered, redis_client: redis.Redis
) -> None:
    own = registered.another()
    assert own.take()
    redis_client.delete(KEY)

    assert own.is_held()
    assert redis_client.exists(KEY)


def test_a_registration_comes_back_though_something_was_noted_of_the_worker_since(
    registered: Registered, redis_client: redis.Redis
) -> None:
    """RQ counts jobs in the worker's hash, and the worker writes its state there."""
    own = registered.another()
    assert own.take()
    redis_client.delete(KEY, "rq:workers")
    redis_client.hset(KEY, "state", "busy")

    assert own.is_held()
    assert redis_client.hexists(KEY, "birth")
    assert redis_client.smembers("rq:workers") == {KEY.encode()}


def test_a_registration_that_changes_while_it_comes_back_is_still_held(
    registered: Registered, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = registered.another()
    assert own.take()
    redis_client.delete(KEY)
    serialize = cast(Any, RQWorker).serialize

    def meanwhile(worker: RQWorker) -> Any:
        redis_client.hset(KEY, "state", "busy")
        return serialize(worker)

    monkeypatch.setattr(RQWorker, "serialize", meanwhile)
    assert own.is_held(), "no other worker has the name"
    monkeypatch.undo()
    assert own.is_held()
    assert redis_client.hexists(KEY, "birth")


def test_a_name_that_another_has_taken_since_redis_lost_it_is_not_held(
    registered: Registered, redis_client: redis.Redis
) -> None:
    own, other = registered.another(), registered.another()
    assert own.take()
    redis_client.delete(KEY)
    assert other.take()

    assert not own.is_held()
    assert other.is_held()


def test_a_registration_that_comes_back_leaves_what_the_worker_executes(
    registered: Registered, redis_client: redis.Redis
) -> None:
    own = registered.another()
    assert own.take()
    redis_client.sadd("rq:worker:w:executions", "run:1")
    redis_client.delete(KEY)

    assert own.is_held()
    assert redis_client.smembers("rq:worker:w:executions") == {b"run:1"}
    redis_client.delete("rq:worker:w:executions")


def test_a_worker_comes_back_after_redis_lost_all_in_the_middle_of_an_ordinary_job(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    worker = fleet.start(name="w")
    job = Queue("default", connection=raw).enqueue(time.sleep, 1.0)
    until(lambda: job.get_status(refresh=True) == "started")

    raw.flushall()
    raw.hincrby(KEY, "successful_job_count", 1)  # as RQ counts it at the job's end

    until(lambda: raw.smembers("rq:workers") == {KEY.encode()})
    assert raw.hget(KEY, "pid") == str(worker.pid).encode()
    assert client.enqueue("main", {"x": 5}).result(10) == 10
    assert worker.running


def test_a_process_is_known_by_its_start_and_not_by_its_number() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        name = identity(child.pid)
        boot, namespace, pid, start = name.split(":")

        assert running(name) is True
        assert running(f"{boot}:{namespace}:{pid}:{int(start) - 1}") is False, "one before it"
        assert running(f"{boot}:{int(namespace) + 1}:{pid}:{start}") is None, "a container's"
        assert running(f"x{boot}:{namespace}:{pid}:{start}") is None, "another machine's"
        assert running("") is None
        child.send_signal(signal.SIGKILL)
    assert running(name) is False
