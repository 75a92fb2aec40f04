"""What workers tell Prometheus of runs that fail, steps that are tried again, and deaths."""

from __future__ import annotations

import http.client
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from penstock.runtime import Client
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.workers import Fleet, WorkerProcess
from tests.support.server import RedisServer
from tests.support.until import until

__all__ = ["checker", "client", "fleet", "raw", "server"]

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

APP = """
import time
from penstock.runtime import RetryPolicy, entrypoint, task

@task
def double(x: int) -> int:
    return 2 * x

@task(retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01))
def explode(x: int) -> int:
    raise ConnectionError(f"no {x}")

@entrypoint()
def fine(x: int) -> int:
    return double(double(x).result()).result()

@entrypoint()
def bad(x: int) -> int:
    return explode(x).result()

@entrypoint()
def slow(seconds: float) -> None:
    time.sleep(seconds)
"""


def metrics(worker: WorkerProcess) -> dict[str, float]:
    """The samples of a worker, by name and labels in the text form."""
    served = until(lambda: worker.logged("health.served"), what="a port")
    connection = http.client.HTTPConnection("127.0.0.1", served[0]["port"], timeout=5)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    assert response.status == 200
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.read().decode())
        for sample in family.samples
    }


@pytest.fixture
def app(tmp_path: Path) -> str:
    path = tmp_path / "metered.py"
    path.write_text(APP)
    return str(path)


def test_a_worker_counts_runs_steps_and_tries(fleet: Fleet, client: Client, app: str) -> None:
    worker = fleet.start(app=app, health="127.0.0.1:0", concurrency=7)
    runs = [client.enqueue("fine", number) for number in range(3)]
    assert [run.result(10) for run in runs] == [0, 4, 8]
    bad = client.enqueue("bad", 1)
    until(lambda: bad.status() == "failed")

    until(lambda: metrics(worker).get("penstock_runs_total entrypoint=bad status=failed") == 1)
    found = metrics(worker)
    assert found["penstock_runs_total entrypoint=fine status=completed"] == 3
    assert found["penstock_steps_total outcome=completed task=double"] == 6
    assert found["penstock_steps_total outcome=failed task=explode"] == 1
    assert found["penstock_retries_total"] == 2
    assert found["penstock_run_seconds_count entrypoint=fine"] == 3
    assert found["penstock_step_seconds_count task=double"] == 6
    assert found["penstock_queue_wait_seconds_count queue=default"] == 4
    assert 0 <= found["penstock_queue_wait_seconds_sum queue=default"] < 20
    assert (found["penstock_slots"], found["penstock_running"]) == (7, 0)
    assert 0 <= found["penstock_loop_lag_seconds"] < 5
    assert found["penstock_redis_seconds_count call=take"] >= 2
    assert found["penstock_redis_seconds_count call=finish"] >= 1
    assert found["penstock_fenced_total"] == 0
    assert "process_resident_memory_bytes" in found, "what the app's own registry has"
    assert not any(run.run_id in name for run in runs for name in found)
    assert not any(name.startswith("penstock_") and "_created" in name for name in found)


def test_a_run_in_work_is_shown_and_one_of_a_dead_worker_is_recovered(
    fleet: Fleet, client: Client, app: str
) -> None:
    first = fleet.start(app=app, health="127.0.0.1:0")
    run = client.enqueue("slow", 60.0)
    until(lambda: metrics(first).get("penstock_running") == 1)
    second = fleet.start(app=app, health="127.0.0.1:0")

    first.kill()

    until(lambda: metrics(second).get("penstock_recovered_total reason=worker") == 1)
    until(lambda: metrics(second).get("penstock_running") == 1)
    run.cancel()
    until(lambda: metrics(second).get("penstock_runs_total entrypoint=slow status=cancelled") == 1)


def test_a_worker_that_takes_a_dead_ones_name_counts_the_runs_that_it_recovers(
    fleet: Fleet, client: Client, app: str
) -> None:
    first = fleet.start(app=app, name="w")
    run = client.enqueue("slow", 60.0)
    until(lambda: run.status() == "running")
    first.kill()

    second = fleet.start(app=app, name="w", health="127.0.0.1:0")

    assert metrics(second)["penstock_recovered_total reason=worker"] == 1
    run.cancel()
    until(lambda: run.status() == "cancelled")


def test_a_worker_counts_the_runs_that_it_sets_aside(
    fleet: Fleet, client: Client, app: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.py"
    other.write_text(APP.replace("def fine", "def good"))
    worker = fleet.start(app=str(other), health="127.0.0.1:0")
    assert metrics(worker)["penstock_parked_total"] == 0

    runs = [client.enqueue("fine", number) for number in range(3)]

    until(lambda: metrics(worker)["penstock_parked_total"] == 3)
    fleet.start(app=app)
    assert [run.result(10) for run in runs] == [0, 4, 8]


@pytest.mark.open_runs
def test_an_attempt_that_lost_its_run_is_counted(fleet: Fleet, client: Client, app: str) -> None:
    stopped = fleet.start(app=app, health="127.0.0.1:0")
    run = client.enqueue("slow", 60.0)
    until(lambda: metrics(stopped).get("penstock_running") == 1)
    fleet.start(app=app)

    stopped.stop()
    until(lambda: run.info().worker != "" and run.info().attempt == 2, 20.0, "a second attempt")
    stopped.cont()

    until(lambda: metrics(stopped).get("penstock_fenced_total") == 1)


def test_a_supervisor_shows_the_metrics_of_each_process_and_counts_what_it_recovers(
    fleet: Fleet, client: Client, app: str, server: RedisServer
) -> None:
    worker = fleet.start(app=app, processes=2, health="127.0.0.1:0")
    until(lambda: {f"penstock_slots process={n}" for n in (1, 2)} <= metrics(worker).keys())
    assert metrics(worker)["penstock_recovered_total process=supervisor reason=worker"] == 0
    run = client.enqueue("slow", 60.0)
    until(lambda: run.status() == "running")
    pid: Any = server.client().hget(f"rq:worker:{run.info().worker}", "pid")

    os.kill(int(pid), signal.SIGKILL)

    until(lambda: len(worker.logged("worker.started")) == 3)
    until(lambda: metrics(worker)["penstock_recovered_total process=supervisor reason=worker"] == 1)
    until(lambda: {f"penstock_slots process={n}" for n in (1, 2)} <= metrics(worker).keys())
    assert "process_resident_memory_bytes process=1" in metrics(worker)
    run.cancel()
    until(lambda: run.status() == "cancelled")
