from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from penstock.worker import Worker
from penstock.worker.health.address import Address
from penstock.worker.process import supervisor as supervisors
from penstock.worker.process.app_loader import load_app
from penstock.worker.process.options import WorkerOptions
from penstock.worker.process.supervisor import supervise
from penstock.worker.process.worker_process import OF_SUPERVISOR, run_worker
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import FLOWS, Fleet
from tests.support.until import until

__all__ = ["checker", "client", "fleet", "raw", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def options(url: str, app: str = str(FLOWS)) -> WorkerOptions:
    settings = Settings(redis=url)
    return WorkerOptions(app=(app,), queues=("default",), settings=settings, burst=True)


Start = Callable[[WorkerOptions], int]


def supervise_two(options: WorkerOptions) -> int:
    return supervise(options, 2)


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_without_redis_nothing_starts(start: Start) -> None:
    with pytest.raises(RedisUnavailableError):
        start(options("redis://127.0.0.1:1"))


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_without_an_app_nothing_starts(start: Start, redis_url: str) -> None:
    with pytest.raises(ConfigurationError):
        start(options(redis_url, "missing.py"))


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_a_port_that_is_taken_is_named_before_the_app_is_loaded(
    start: Start, redis_url: str
) -> None:
    with Address("127.0.0.1", 0).listen() as taken:
        health = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ConfigurationError, match="Address already in use"):
            start(dataclasses.replace(options(redis_url, "missing.py"), health=health))


@pytest.mark.parametrize("start", [run_worker, supervise_two])
def test_what_does_not_start_leaves_no_file_and_no_port_open(
    start: Start, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Address("127.0.0.1", 0).listen() as free:
        port = free.getsockname()[1]

    with pytest.raises(ConfigurationError, match="missing"):
        start(dataclasses.replace(options(redis_url, "missing.py"), health=f"127.0.0.1:{port}"))

    assert list(tmp_path.iterdir()) == []
    until(lambda: not is_served(port), what="the end of the server")


def is_served(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_burst_in_this_process(redis_url: str, redis_client: redis.Redis) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("main", {"x": 5})

        assert run_worker(options(redis_url)) == 0

        assert run.result(1) == 10
    Checker(redis_client).check(over=True)


def test_a_worker_gives_the_signals_back_after_its_work(redis_url: str) -> None:
    """To a program that goes on after a burst, and wants to be ended by Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    app = load_app([str(FLOWS)])

    Worker(["default"], connection=redis_url, entrypoints=app.entrypoints).work(burst=True)

    assert signal.getsignal(signal.SIGINT) is before


def test_a_signal_between_the_end_of_a_process_and_the_note_of_it_stops_the_others(
    redis_url: str,
) -> None:
    module: Any = supervisors
    supervisor = module._Supervisor(options(redis_url), 1, None)
    ended, running = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    ended.kill()
    ended.wait()
    for child in (ended, running):
        supervisor._children[child.pid] = module._Child("worker", 0.0, 1, 0, module.SupervisorEnd())

    supervisor._stop(signal.SIGTERM, None)

    assert running.wait(5) == -signal.SIGTERM


def test_a_second_signal_that_comes_twice_lets_processes_hand_their_runs_over(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    """The supervisor passes the signal on, and tells the process to end at once."""
    supervisor = fleet.start(processes=2, grace=60.0)
    run = client.enqueue("asteps", {"steps": 1, "seconds": 60.0})
    fleet.executing(run.run_id, 2)
    supervisor.term()
    until(lambda: "handing its runs over" in supervisor.text())
    time.sleep(OF_SUPERVISOR + 0.1)  # the signal is a second one for the process, too

    supervisor.term()

    assert supervisor.wait(5) == 0
    assert run.status() is RunStatus.QUEUED
    assert run.info().crashes == 0
    assert "the time to end is over" not in supervisor.text()
    checker.check()


def test_a_signal_after_the_end_of_the_supervisor_cuts_no_step(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    """As systemd sends it to what a killed supervisor leaves: the process drains by then."""
    supervisor = fleet.start(processes=1)
    run = client.enqueue("asteps", {"steps": 2, "seconds": 1.5})
    fleet.executing(run.run_id, 2)
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: "handing its runs over" in supervisor.text())

    os.killpg(supervisor.pid, signal.SIGTERM)

    until(lambda: supervisor.logged("run.ended"), 5)  # written after the run is queued again
    (ended,) = supervisor.logged("run.ended")
    assert run.status() is RunStatus.QUEUED
    assert ended["duration"] > 1.4, "its step came to its end"
    checker.check()


def test_a_process_that_ends_by_a_signal_without_a_name_is_replaced(fleet: Fleet) -> None:
    supervisor = fleet.start(processes=1)
    (pid,) = (entry["pid"] for entry in supervisor.logged("worker.started"))

    os.kill(pid, signal.SIGRTMIN + 1)

    until(lambda: len(supervisor.logged("worker.started")) == 2)
    (died,) = supervisor.logged("worker.died")
    assert f"ended by signal {signal.SIGRTMIN + 1}," in died["message"]
    assert supervisor.running
