"""Runs on workers: many at once, deep, by priority, logged in a line, and never pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from penstock.publisher.errors import ConfigurationError
from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from penstock.worker.process.options import WorkerOptions
from penstock.worker.process.worker_process import run_worker
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def test_queues_are_served_in_the_order_given(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    runs = [
        client.enqueue("add", number, queue=queue)
        for number, queue in zip(count(), ["low", "middle", "high"] * 5, strict=False)
    ]

    fleet.start(queues=("high", "middle", "low"), concurrency=1)
    for run in runs:
        run.result(10)

    order = [line["number"] % 3 for line in fleet.journal()]
    assert order == [2] * 5 + [1] * 5 + [0] * 5
    checker.check(over=True)


def test_a_run_that_comes_on_a_higher_queue_goes_first(fleet: Fleet, client: Client) -> None:
    fleet.start(queues=("high", "low"), concurrency=1)
    first = client.enqueue("asteps", {"seconds": 1.0}, queue="low")
    fleet.executing(first.run_id)
    low = [client.enqueue("add", 0, queue="low") for _ in range(3)]
    high = [client.enqueue("add", 1, queue="high") for _ in range(3)]

    for run in (*low, *high):
        run.result(10)

    assert [line["number"] for line in fleet.journal() if "number" in line] == [1, 1, 1, 0, 0, 0]


def test_a_queue_nobody_serves_is_left_alone(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    other = client.enqueue("main", {"x": 1}, queue="other")
    fleet.start(queues=("default",))

    assert client.enqueue("main", {"x": 1}).result(5) == 2
    assert other.status() == "queued"
    fleet.start(queues=("other",))
    assert other.result(6) == 2
    checker.check(over=True)


@pytest.mark.parametrize("entrypoint", ["deep", "fan"])
def test_concurrency_one_is_no_deadlock(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    fleet.start(concurrency=1)

    runs = [client.enqueue(entrypoint, 30 if entrypoint == "deep" else {"steps": 60})] * 2

    expected: Any = 30 if entrypoint == "deep" else list(range(60))
    assert [run.result(20) for run in runs] == [expected] * 2
    checker.check(over=True)


def test_no_more_runs_than_told_at_once(fleet: Fleet, client: Client, raw: redis.Redis) -> None:
    fleet.start(concurrency=3)
    runs = [client.enqueue("nap", 0.3) for _ in range(9)]
    most = 0

    while any(run.status() != "completed" for run in runs):
        most = max(most, raw.zcard("penstock:leases"))

    assert most == 3


def test_two_hundred_async_runs_at_once(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start(concurrency=200)
    started = time.monotonic()

    runs = [client.enqueue("nap", 1.0) for _ in range(200)]

    assert [run.result(20) for run in runs] == [1.0] * 200
    assert time.monotonic() - started < 6
    checker.check(over=True)


def test_a_hundred_sync_runs_at_once(fleet: Fleet, client: Client, checker: Checker) -> None:
    fleet.start(concurrency=100)
    started = time.monotonic()

    runs = [client.enqueue("steps", {"steps": 1, "seconds": 1.0}) for _ in range(100)]

    assert [run.result(20) for run in runs] == [[0]] * 100
    assert time.monotonic() - started < 8
    checker.check(over=True)


def test_a_burst_ends_when_the_queues_are_empty(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    runs = [client.enqueue("asteps", {"steps": 2, "seconds": 0.1}) for _ in range(10)]

    worker = fleet.start(burst=True, ready=False, concurrency=2)

    assert worker.wait(20) == 0
    assert {run.status() for run in runs} == {"completed"}
    checker.check(over=True)


def test_a_burst_takes_what_its_own_runs_ring_for(fleet: Fleet, client: Client) -> None:
    runs = [client.enqueue("slow_add", 1, thread_id="t") for _ in range(3)]

    worker = fleet.start(burst=True, ready=False)

    assert worker.wait(20) == 0
    assert {run.status() for run in runs} == {"completed"}


def test_a_burst_of_several_processes_ends_too(fleet: Fleet, client: Client) -> None:
    runs = [client.enqueue("asteps", {"steps": 2, "seconds": 0.1}) for _ in range(10)]

    worker = fleet.start(burst=True, ready=False, processes=2)

    assert worker.wait(20) == 0
    assert {run.status() for run in runs} == {"completed"}


def test_each_run_is_one_line_which_says_what_it_failed_of_and_no_input(
    fleet: Fleet, client: Client
) -> None:
    worker = fleet.start()
    good = client.enqueue("ask", "a secret", thread_id="a thread")
    bad = client.enqueue("broken", "no such part")
    with pytest.raises(RunFailedError, match="no such part"):
        bad.result(5)

    until(lambda: len(worker.logged("run.ended")) == 2)
    (one,) = [line for line in worker.log() if line.get("run_id") == good.run_id]
    assert one["level"] == "INFO"
    assert one["thread_id"] == "a thread"
    assert one["status"] == "suspended"
    assert "a secret" not in worker.text()
    (other,) = [line for line in worker.log() if line.get("run_id") == bad.run_id]
    assert other["level"] == "ERROR"
    assert other["entrypoint"] == "broken"
    assert "failed" in other["message"]
    assert "no such part" in other["traceback"]


def test_f59_nothing_of_ours_in_redis_is_a_pickle(
    fleet: Fleet, client: Client, raw: redis.Redis
) -> None:
    fleet.start()
    client.enqueue("steps", {"steps": 3}, thread_id="t").result(5)
    client.enqueue("ask", "well?").result(5)
    with pytest.raises(RunFailedError):
        client.enqueue("broken", "no").result(5)

    for value in stored(raw):
        assert not value.startswith(b"\x80"), value[:50]
        with pytest.raises(Exception):  # noqa: B017  # whatever a pickle is not
            pickle.loads(value)


def stored(raw: redis.Redis) -> list[bytes]:
    values: list[bytes] = []
    for key in cast("list[bytes]", raw.keys("*")):
        kind = raw.type(key)
        if key.startswith((b"rq:worker", b"rq:clean")):
            continue  # RQ's own
        if kind == b"hash":
            values += cast("dict[bytes, bytes]", raw.hgetall(key)).values()
        elif kind == b"list":
            values += cast("list[bytes]", raw.lrange(key, 0, -1))
    return [value for value in values if not value.isdigit() and value not in (b"", b"0", b"1")]


def test_f59_a_job_that_names_a_function_of_its_own_is_not_a_run(
    fleet: Fleet, client: Client, raw: redis.Redis, tmp_path: Path
) -> None:
    """Penstock imports nothing by a name it found in Redis: only RQ does so, for ordinary jobs."""
    fleet.start()
    touched = tmp_path / "touched"
    run = client.enqueue("ask", "well?", run_id="victim")
    run.result(5)
    raw.hset("rq:job:victim", "data", f'["os.system",null,["touch {touched}"],{{}}]')
    raw.hset("penstock:run:victim", "entrypoint", "os.system")
    raw.rpush("rq:queue:default", "victim")

    run.resume("yes")

    until(lambda: raw.hget("penstock:run:victim", "parked") == b"e:os.system")
    assert run.status() == "queued"  # it waits for a worker that has an entrypoint of this name
    assert not touched.exists()


def test_f60_a_hundred_levels_and_a_thousand_parallel_steps(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    fleet.start()

    deep = client.enqueue("deep", 100)
    wide = client.enqueue("afan", {"steps": 1000})
    threads = client.enqueue("fan", {"steps": 1000})

    assert deep.result(30) == 100
    assert wide.result(30) == list(range(1000))
    assert threads.result(30) == list(range(1000))
    checker.check(over=True)


def test_two_entrypoints_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(
        "from penstock.runtime import entrypoint\n"
        "@entrypoint(name='same')\ndef one(x: int) -> int: return x\n"
        "@entrypoint(name='same')\ndef two(x: int) -> int: return x\n"
    )

    with pytest.raises(ConfigurationError, match="two entrypoints are named 'same'"):
        run_worker(WorkerOptions(app=(str(tmp_path / "twice.py"),), queues=("default",),
                                 settings=Client().settings))  # fmt: skip


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("missing.py", "there is no file 'missing.py'"),
        ("no.such.module", "no module named 'no.such.module'"),
        ("json", "defines no entrypoint"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_one_sentence(app: str, says: str, redis_url: str) -> None:
    command = [str(Path(sys.executable).parent / "penstock"), "worker", app, "--redis", redis_url]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)

    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_app_that_breaks_names_file_and_line(tmp_path: Path, redis_url: str) -> None:
    flows = tmp_path / "flows.py"
    flows.write_text("import os\n\n1 / 0\n")
    command = [str(Path(sys.executable).parent / "penstock"), "worker", str(flows)]

    ended = subprocess.run(
        [*command, "--redis", redis_url], capture_output=True, text=True, timeout=20
    )

    assert ended.returncode != 0
    assert f"{flows}, line 3" in ended.stderr.replace("\n", "")
    assert "Traceback" not in ended.stderr
