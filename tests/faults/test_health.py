"""What probes learn of workers whose threads die, whose Redis is away, and which drain."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime import Client
from penstock.worker import Worker
from penstock.worker.health import vitals
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.server import RedisServer
from tests.support.until import until

__all__ = ["checker", "client", "fleet", "raw", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

ENDS_THREADS = """
import ctypes, threading
from penstock.runtime import entrypoint

@entrypoint()
def end(names: list) -> None:
    threads = {each.name: each.ident for each in threading.enumerate()}
    for name in names:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(threads[name]), ctypes.py_object(SystemExit)
        )
"""


def ask(worker: WorkerProcess, path: str) -> tuple[int, dict[str, Any]]:
    served = until(lambda: worker.logged("health.served"), what="a port")
    connection = http.client.HTTPConnection("127.0.0.1", served[0]["port"], timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_a_worker_is_live_and_ready(fleet: Fleet, client: Client, checker: Checker) -> None:
    worker = fleet.start(health="127.0.0.1:0")

    assert ask(worker, "/live") == (
        200,
        {
            "live": True,
            "parts": dict.fromkeys(
                ("dispatcher", "loop", "recovery", "control", "leases", "sender"), "ok"
            ),
        },
    )
    assert ask(worker, "/ready") == (200, {"ready": True, "reason": ""})
    checker.check()


@pytest.mark.open_runs
def test_f112_each_thread_that_dies_is_named(fleet: Fleet, client: Client, tmp_path: Path) -> None:
    app = tmp_path / "ends_threads.py"
    app.write_text(ENDS_THREADS)
    worker = fleet.start(app=str(app), health="127.0.0.1:0")
    names = ["recovery", "control", "leases", "sender", "loop"]

    client.enqueue("end", [f"penstock-{name}" for name in names])

    def failed() -> list[str]:
        parts = ask(worker, "/live")[1]["parts"]
        return [name for name in names if parts[name] == f"its thread penstock-{name} has ended"]

    until(lambda: failed() == names, what="a probe that names all of them")
    status, body = ask(worker, "/live")
    assert (status, body["live"], body["parts"]["dispatcher"]) == (503, False, "ok")
    assert ask(worker, "/ready")[0] == 503
    until(lambda: {each["part"] for each in worker.logged("health.failed")} == set(names))


def test_without_redis_a_worker_is_live_and_not_ready(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the worker would not bring Redis back."""
    monkeypatch.setattr(vitals, "ANSWER", 2.0)
    worker = Worker(["default"], connection=server.url, entrypoints={})
    thread = threading.Thread(target=worker.work)
    thread.start()
    until(lambda: worker.vitals.status().is_ready)

    server.pause()
    until(lambda: not worker.vitals.status().is_ready)

    assert worker.vitals.status().is_live
    assert "Redis has not answered for 2 s" in worker.vitals.status().not_ready
    server.resume()
    until(lambda: worker.vitals.status().is_ready)
    worker.drain()
    thread.join()


def test_a_worker_that_drains_is_live_and_not_ready(
    fleet: Fleet, client: Client, checker: Checker, tmp_path: Path
) -> None:
    file = tmp_path / "health"
    worker = fleet.start(health="127.0.0.1:0", health_file=str(file))
    run = client.enqueue("asteps", {"steps": 1, "seconds": 2.0})
    fleet.executing(run.run_id, 2)
    until(file.exists)

    worker.term()

    until(lambda: ask(worker, "/ready") == (503, {"ready": False, "reason": "it drains"}))
    assert ask(worker, "/live")[0] == 200
    assert worker.wait() == 0
    assert not file.exists()
    checker.check()


def test_a_supervisor_answers_for_all_its_processes(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "health"
    worker = fleet.start(processes=2, health="127.0.0.1:0", health_file=str(file))
    until(lambda: ask(worker, "/ready")[0] == 200)
    parts = ask(worker, "/live")[1]["parts"]
    assert {name.partition(":")[0] for name in parts} == {"process 1", "process 2"}
    assert parts["process 2: dispatcher"] == "ok"
    pid = worker.logged("worker.started")[0]["pid"]

    os.kill(pid, signal.SIGKILL)

    until(lambda: ask(worker, "/ready")[0] == 503, every=0.001)
    assert ask(worker, "/live")[0] == 200, "the supervisor replaces it"
    until(lambda: ask(worker, "/ready")[0] == 200)
    assert json.loads(file.read_text())["ready"] in (True, False)
    worker.term()
    assert worker.wait() == 0
    assert not file.exists()


def test_processes_whose_supervisor_was_killed_leave_no_file(fleet: Fleet) -> None:
    worker = fleet.start(processes=2, health="127.0.0.1:0")
    until(lambda: ask(worker, "/ready")[0] == 200)
    (folder,) = fleet.folder.glob("penstock-health-*")

    os.kill(worker.pid, signal.SIGKILL)

    until(lambda: not folder.exists())


@pytest.mark.open_runs
def test_a_thread_that_dies_in_one_of_several_processes_is_named(
    fleet: Fleet, client: Client, tmp_path: Path
) -> None:
    app = tmp_path / "ends_threads.py"
    app.write_text(ENDS_THREADS)
    worker = fleet.start(app=str(app), processes=2, health="127.0.0.1:0")

    client.enqueue("end", ["penstock-leases"])

    until(lambda: ask(worker, "/live")[0] == 503, what="a probe that fails")
    parts: dict[str, str] = ask(worker, "/live")[1]["parts"]
    ((name, problem),) = [each for each in parts.items() if each[1] != "ok"]
    assert name in ("process 1: leases", "process 2: leases")
    assert problem == "its thread penstock-leases has ended"
