"""What RQ's own tools see of a penstock worker, and what they can tell it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from rq import Queue, Retry, command
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend
from rq.worker import Worker as RQWorker

from penstock.publisher import subscribe
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunCancelledError
from penstock.runtime.types.run import RunStatus
from tests.faults.support import flows
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

RQ = str(Path(sys.executable).parent / "rq")

JOBS = "tests.faults.support.flows"


def the_worker(raw: redis.Redis) -> Any:
    workers: list[Any] = cast(Any, RQWorker).all(connection=raw)
    assert len(workers) == 1
    return workers[0]


def executions(raw: redis.Redis) -> list[Execution]:
    return list(the_worker(raw).get_current_executions())


def test_rq_sees_a_worker_its_state_and_its_jobs(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start(queues=("high", "low"), name="one")
    assert the_worker(raw).name == "one"
    assert the_worker(raw).queue_names() == ["high", "low"]
    assert the_worker(raw).get_state() == "idle"

    runs = [client.enqueue("nap", 30.0, queue="low") for _ in range(3)]
    for run in runs:
        fleet.executing(run.run_id)

    registry = StartedJobRegistry("low", connection=raw)
    until(lambda: the_worker(raw).get_state() == "busy")
    assert {each.job_id for each in executions(raw)} == {run.run_id for run in runs}
    assert set(registry.get_job_ids(cleanup=False)) == {run.run_id for run in runs}
    for run in runs:
        run.cancel()
    until(lambda: executions(raw) == [])
    until(lambda: the_worker(raw).get_state() == "idle")
    assert registry.get_job_ids(cleanup=False) == []


def test_rq_info_shows_it(fleet: Fleet, client: Client) -> None:
    fleet.start(name="one")
    run = client.enqueue("nap", 30.0)
    fleet.executing(run.run_id)

    info = subprocess.run(
        [RQ, "info", "--url", fleet.url, "--raw"], capture_output=True, text=True, check=True
    ).stdout

    assert "worker one" in info
    assert "queue default" in info


def test_the_job_of_a_run_ends_with_it(fleet: Fleet, client: Client, raw: redis.Redis) -> None:
    fleet.start()
    good = client.enqueue("main", {"x": 1})
    bad = client.enqueue("broken", "no")
    good.result(5)
    until(lambda: bad.status() is RunStatus.FAILED)

    assert Job.fetch(good.run_id, connection=raw).get_status() is JobStatus.FINISHED
    assert Job.fetch(bad.run_id, connection=raw).get_status() is JobStatus.FAILED
    queue = Queue("default", connection=raw)
    assert FinishedJobRegistry(queue=queue).get_job_ids() == [good.run_id]
    assert FailedJobRegistry(queue=queue).get_job_ids() == [bad.run_id]
    ticket = Job.fetch(good.run_id, connection=raw, serializer=JSONSerializer)
    assert (ticket.func_name, ticket.args) == ("penstock.worker.job.perform", [])


def test_a_worker_leaves_rq_as_it_ends(fleet: Fleet, client: Client, raw: redis.Redis) -> None:
    worker = fleet.start()
    client.enqueue("main", {"x": 1}).result(5)

    worker.term()

    assert worker.wait() == 0
    assert cast(Any, RQWorker).all(connection=raw) == []
    keys = cast("list[bytes]", raw.keys("rq:worker:*"))
    assert all(0 < raw.ttl(key) <= 60 for key in keys)  # RQ keeps it for a minute


def test_suspended_workers_take_nothing_until_they_resume(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start()
    suspend(raw)
    until(lambda: the_worker(raw).get_state() == "suspended", 5)

    runs = [client.enqueue("main", {"x": 1}) for _ in range(3)]
    job = Queue("default", connection=raw).enqueue(f"{JOBS}.multiply", 2, 3)
    time.sleep(1.5)  # longer than a worker looks at its queues once
    assert {run.status() for run in runs} == {RunStatus.QUEUED}
    assert job.get_status() is JobStatus.QUEUED

    resume(raw)
    assert [run.result(5) for run in runs] == [2, 2, 2]
    until(lambda: job.get_status(refresh=True) is JobStatus.FINISHED)


def test_runs_that_are_at_work_go_on_while_workers_are_suspended(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start()
    run = client.enqueue("asteps", {"steps": 5, "seconds": 0.1})
    fleet.executing(run.run_id)

    suspend(raw)

    assert run.result(5) == [0, 1, 2, 3, 4]


def test_the_shutdown_command_drains_a_worker(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    worker = fleet.start(name="one")
    run = client.enqueue("steps", {"steps": 100, "seconds": 0.1})
    fleet.executing(run.run_id, 2)

    command.send_shutdown_command(raw, "one")

    assert worker.wait() == 0
    assert run.status() is RunStatus.QUEUED
    assert run.info().attempt == 1
    checker.check()


@pytest.mark.parametrize("entrypoint", ["nap", "asteps", "steps"])
def test_the_stop_job_command_cancels_a_run(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, entrypoint: str
) -> None:
    fleet.start()
    argument: Any = 30.0 if entrypoint == "nap" else {"steps": 300, "seconds": 0.1}
    run = client.enqueue(entrypoint, argument)
    fleet.executing(run.run_id)

    command.send_stop_job_command(raw, run.run_id)

    with pytest.raises(RunCancelledError):
        run.result(3)
    checker.check(over=True)


def test_garbage_on_the_command_channel_is_ignored(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    worker = fleet.start(name="one")
    for garbage in (b"\xff\xfe", b"{", b"[]", b'{"command": 1}', b'{"command": "stop-job"}', b""):
        assert raw.publish("rq:pubsub:one", garbage) == 1

    run = client.enqueue("main", {"x": 5})
    assert run.result(5) == 10
    command.send_shutdown_command(raw, "one")
    assert worker.wait() == 0


def test_ordinary_jobs_run_beside_runs(fleet: Fleet, client: Client, raw: redis.Redis) -> None:
    fleet.start()
    queue = Queue("default", connection=raw)
    nap = client.enqueue("nap", 1.0)

    good = queue.enqueue(f"{JOBS}.multiply", 6, 7)
    bad = queue.enqueue(f"{JOBS}.divide", 1, 0)
    by_object = queue.enqueue(flows.multiply, 2, right=3)

    until(lambda: good.get_status(refresh=True) is JobStatus.FINISHED)
    assert good.return_value() == 42
    until(lambda: bad.get_status(refresh=True) is JobStatus.FAILED)
    assert "ZeroDivisionError" in str(cast(Any, bad.latest_result()).exc_string)
    until(lambda: by_object.get_status(refresh=True) is JobStatus.FINISHED)
    assert by_object.return_value() == 6
    assert queue.job_ids == []
    assert raw.exists("rq:queue:default:intermediate") == 0
    assert nap.result(5) == 1.0


def test_many_ordinary_jobs_and_runs_mixed(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    fleet.start(concurrency=8)
    queue = Queue("default", connection=raw)
    jobs: list[Job] = []
    runs: list[RunHandle] = []
    for number in range(40):
        jobs.append(queue.enqueue(f"{JOBS}.multiply", number, 2))
        runs.append(client.enqueue("main", {"x": number}))

    assert [run.result(15) for run in runs] == [2 * number for number in range(40)]
    until(lambda: all(job.get_status(refresh=True) is JobStatus.FINISHED for job in jobs), 15)
    assert [job.return_value() for job in jobs] == [2 * number for number in range(40)]
    assert StartedJobRegistry(queue=queue).get_job_ids(cleanup=False) == []
    checker.check(over=True)


def test_an_ordinary_job_keeps_its_timeout(fleet: Fleet, raw: redis.Redis) -> None:
    fleet.start()
    queue = Queue("default", connection=raw)

    job = queue.enqueue(f"{JOBS}.sleep", 0.1, job_timeout=30)
    until(lambda: job.get_status(refresh=True) is JobStatus.FINISHED, 5)

    assert job.return_value() == 0.1


def test_an_ordinary_job_begun_is_let_end_by_a_drain(fleet: Fleet, raw: redis.Redis) -> None:
    worker = fleet.start()
    queue = Queue("default", connection=raw)
    job = queue.enqueue(f"{JOBS}.sleep", 1.0)
    until(lambda: job.get_status(refresh=True) is JobStatus.STARTED)

    worker.term()

    assert worker.wait() == 0
    assert job.get_status(refresh=True) is JobStatus.FINISHED
    assert job.return_value() == 1.0


def test_the_stop_job_command_stops_an_ordinary_job(
    fleet: Fleet, raw: redis.Redis, tmp_path: Path
) -> None:
    fleet.start()
    begun = tmp_path / "begun"
    job = Queue("default", connection=raw).enqueue(f"{JOBS}.doze", 8.0, str(begun))
    until(begun.exists)

    command.send_stop_job_command(raw, job.id)

    until(lambda: job.get_status(refresh=True) is JobStatus.STOPPED, 4)


def test_an_ordinary_job_that_takes_too_long_fails(fleet: Fleet, raw: redis.Redis) -> None:
    fleet.start()
    queue = Queue("default", connection=raw)

    job = queue.enqueue(f"{JOBS}.spin", 8.0, job_timeout=1)

    until(lambda: job.get_status(refresh=True) is JobStatus.FAILED, 5)
    assert "JobTimeoutException" in str(cast(Any, job.latest_result()).exc_string)


def test_an_ordinary_job_is_retried_as_it_asks(fleet: Fleet, raw: redis.Redis) -> None:
    fleet.start()
    queue = Queue("default", connection=raw)

    job = queue.enqueue(f"{JOBS}.divide", 1, 0, retry=Retry(max=2))

    until(lambda: job.get_status(refresh=True) is JobStatus.FAILED)
    job.refresh()
    assert job.retries_left == 0
    assert queue.job_ids == []


def test_an_ordinary_job_that_depends_on_another_follows_it(fleet: Fleet, raw: redis.Redis) -> None:
    fleet.start()
    queue = Queue("default", connection=raw)

    first = queue.enqueue(f"{JOBS}.multiply", 2, 3)
    second = queue.enqueue(f"{JOBS}.multiply", 4, 5, depends_on=first)

    until(lambda: second.get_status(refresh=True) is JobStatus.FINISHED)
    assert first.return_value() == 6


def test_an_ordinary_job_popped_by_a_worker_that_dies_is_where_rq_finds_it(
    fleet: Fleet, raw: redis.Redis
) -> None:
    worker = fleet.start()
    queue = Queue("default", connection=raw)
    job = queue.enqueue(f"{JOBS}.sleep", 30.0)
    until(lambda: job.get_status(refresh=True) is JobStatus.STARTED)

    worker.kill()

    registry = StartedJobRegistry(queue=queue)
    assert registry.get_job_ids(cleanup=False) == [
        job.id
    ]  # its heartbeat ends, RQ fails or retries it


# -- requeue ------------------------------------------------------------------------------------

FRAIL = """
import os
from pathlib import Path
from penstock.runtime import entrypoint, task

@task
def count(folder: str) -> int:
    path = Path(folder, "counted")
    path.write_text(path.read_text() + "." if path.exists() else ".")
    return len(path.read_text())

@task
def check(folder: str) -> str:
    if not Path(folder, "ready").exists():
        raise ValueError("not ready")
    return "ready"

@entrypoint()
def frail(folder: str) -> tuple[int, str]:
    return count(folder).result(), check(folder).result()
"""


@pytest.fixture
def frail(tmp_path: Path) -> str:
    app = tmp_path / "frail.py"
    app.write_text(FRAIL)
    return str(app)


def requeue(url: str, *jobs: str) -> None:
    line = [RQ, "requeue", "--url", url, "--queue", "default", *jobs]
    subprocess.run(line, capture_output=True, check=True)


def book(raw: redis.Redis, run: RunHandle) -> tuple[str, bool, bool]:
    """What RQ says of a run: its job's status, and whether it is among the failed, the finished."""
    job = Job.fetch(run.run_id, connection=raw, serializer=JSONSerializer)
    registries = (FailedJobRegistry, FinishedJobRegistry)
    failed, finished = (
        raw.zscore(each("default", connection=raw).key, run.run_id) is not None
        for each in registries
    )
    return JobStatus(job.get_status()).value, failed, finished


@pytest.mark.parametrize("how", ["one", "all"])
def test_rq_requeue_lets_a_failed_run_go_on(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, frail: str, how: str
) -> None:
    fleet.start(app=frail)
    folder = Path(frail).parent
    run = client.enqueue("frail", str(folder), thread_id="t")
    until(lambda: run.status() is RunStatus.FAILED)
    assert book(raw, run) == ("failed", True, False)
    (folder / "ready").touch()

    requeue(client.settings.redis, *([run.run_id] if how == "one" else ["--all"]))

    until(lambda: run.status() is RunStatus.COMPLETED)
    assert run.result(1) == (1, "ready")  # what was recorded stays
    assert (folder / "counted").read_text() == "."
    assert book(raw, run) == ("finished", False, True)
    modes = [event.mode for event in _facts(client, run)]
    assert modes.count("run.resumed") == 1
    checker.check(over=True)


def _facts(client: Client, run: RunHandle) -> list[Any]:
    with subscribe(run.run_id, connection=client.settings.redis) as events:
        return list(events)


def test_a_run_that_is_requeued_and_fails_again_is_among_the_failed_again(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, frail: str
) -> None:
    fleet.start(app=frail)
    run = client.enqueue("frail", str(Path(frail).parent))
    for times in range(1, 4):
        until(lambda: book(raw, run) == ("failed", True, False))
        checker.check(over=True)
        requeue(client.settings.redis, run.run_id)
        until(lambda: not raw.llen("rq:queue:default"))
        until(_resumed(raw, run, times))


def _resumed(raw: redis.Redis, run: RunHandle, times: int) -> Callable[[], bool]:
    key = f"penstock:events:{run.run_id}"
    return lambda: str(raw.lrange(key, 0, -1)).count("run.resumed") == times


@pytest.mark.parametrize("end", [RunStatus.COMPLETED, RunStatus.CANCELLED])
def test_a_job_of_a_run_that_is_over_for_good_is_filed_again(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, end: RunStatus
) -> None:
    fleet.start()
    if end is RunStatus.COMPLETED:
        run = client.enqueue("main", {"x": 1})
    else:
        run = client.enqueue("nap", 30.0)
        run.cancel()
    until(lambda: run.status() is end)
    before = book(raw, run)
    job = Job.fetch(run.run_id, connection=raw, serializer=JSONSerializer)

    Queue("default", connection=raw, serializer=JSONSerializer).enqueue_job(job)

    until(lambda: raw.llen("rq:queue:default") == 0)
    until(lambda: book(raw, run) == before)
    assert run.status() is end
    ttl: Any = raw.pttl(f"rq:job:{run.run_id}")
    assert ttl > 0
    checker.check(over=True)


def test_a_failed_run_whose_thread_has_gone_on_stays_failed(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, frail: str
) -> None:
    fleet.start(app=frail)
    folder = Path(frail).parent
    run = client.enqueue("frail", str(folder), thread_id="t")
    until(lambda: run.status() is RunStatus.FAILED)
    (folder / "ready").touch()
    newer = client.enqueue("frail", str(folder), thread_id="t")
    assert newer.result(10) == (2, "ready")

    requeue(client.settings.redis, run.run_id)

    until(lambda: raw.llen("rq:queue:default") == 0)
    until(lambda: book(raw, run) == ("failed", True, False))
    assert run.status() is RunStatus.FAILED
    checker.check(over=True)


def test_a_second_ticket_of_a_failed_run_does_not_let_it_go_on(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, frail: str
) -> None:
    fleet.start(app=frail)
    run = client.enqueue("frail", str(Path(frail).parent))
    until(lambda: run.status() is RunStatus.FAILED)

    raw.rpush("rq:queue:default", run.run_id, run.run_id)

    until(lambda: raw.llen("rq:queue:default") == 0)
    assert client.enqueue("frail", str(Path(frail).parent)).run_id
    assert run.status() is RunStatus.FAILED
    assert "run.resumed" not in str(raw.lrange(f"penstock:events:{run.run_id}", 0, -1))
