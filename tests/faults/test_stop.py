"""Processes that are asked to end do, whatever they are at, and whatever hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.server import RedisServer
from tests.support.until import until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

HEAD = """
import atexit, os, pathlib, signal, sys, threading, time
from penstock.runtime import entrypoint, task
"""

SLOW = """
print("importing", flush=True)
while not pathlib.Path("{gate}").exists():
    try:
        time.sleep(0.05)
    except BaseException:  # as some packages do
        pass
"""

MAIN = """
@entrypoint()
def main(x: int) -> int:
    return x

@task
def block(seconds: float) -> None:
    pathlib.Path(__file__).with_name("blocking").touch()
    time.sleep(seconds)

@entrypoint()
def blocker(seconds: float) -> None:
    block(seconds).result()
"""

ASKED = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def app(folder: Path, *parts: str) -> str:
    path = folder / "app.py"
    path.write_text(HEAD + "".join(parts) + MAIN)
    return str(path)


def until_it_blocks(folder: Path) -> None:
    """Return once the step of `blocker` has begun."""
    until((folder / "blocking").exists)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("signum", ASKED)
def test_a_signal_while_the_app_is_imported_ends_the_process(
    fleet: Fleet, tmp_path: Path, processes: int, signum: signal.Signals
) -> None:
    """By a handler, not by the default action: as process 1 of a container it has none."""
    flows = app(tmp_path, SLOW.format(gate=tmp_path / "gate"))
    worker = fleet.start(app=flows, processes=processes, ready=False)
    until(lambda: "importing" in worker.text())

    os.kill(worker.pid, signum)

    assert worker.wait(5) == 0


def test_a_signal_while_a_worker_process_waits_for_its_redis_ends_it(
    fleet: Fleet, server: RedisServer, raw: redis.Redis
) -> None:
    raw.config_set("maxclients", 1)
    worker = fleet.start(ready=False)
    until(lambda: "waiting for Redis" in worker.text())

    worker.term()

    assert worker.wait(5) == 0


@pytest.mark.parametrize("signum", ASKED)
def test_a_signal_drains_a_worker(
    fleet: Fleet, client: Client, checker: Checker, signum: signal.Signals
) -> None:
    worker = fleet.start()
    run = client.enqueue("steps", {"steps": 8, "seconds": 0.3})
    fleet.executing(run.run_id, 3)

    os.kill(worker.pid, signum)

    assert worker.wait(5) == 0
    assert run.status() is RunStatus.QUEUED
    assert run.info().crashes == 0
    checker.check()


def test_nohup_keeps_a_worker_from_a_hangup(fleet: Fleet, client: Client) -> None:
    told = '{"app": ["tests/faults/support/flows.py"], "queues": ["default"]}'
    command = [sys.executable, "-m", "tests.faults.support.main", told]
    worker = fleet.run(["nohup", *command], {"PENSTOCK_REDIS": fleet.url, **QUICK}).ready()

    os.kill(worker.pid, signal.SIGHUP)

    assert client.enqueue("main", {"x": 5}).result(10) == 10
    worker.term()
    assert worker.wait(10) == 0


def test_a_thread_that_blocks_after_its_run_was_cancelled_keeps_no_worker(
    fleet: Fleet, client: Client, tmp_path: Path
) -> None:
    worker = fleet.start(app=app(tmp_path), grace=1.0)
    run = client.enqueue("blocker", 60.0)
    until_it_blocks(tmp_path)
    run.cancel()
    until(lambda: run.status() is RunStatus.CANCELLED, 10)

    worker.term()

    assert worker.wait(6) == 0


def test_a_redis_that_hangs_keeps_no_worker_beyond_its_one_budget(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    worker = fleet.start(grace=1.0)
    run = client.enqueue("steps", {"steps": 100, "seconds": 0.1})
    fleet.executing(run.run_id, 3)
    server.pause()
    began = time.monotonic()

    worker.term()
    worker.wait(12)
    took = time.monotonic() - began
    server.resume()

    assert took < 1.0 + 4.0 + 2.0, "grace, what comes after it, and a busy machine"
    fleet.start()
    assert run.result(30) == list(range(100))
    checker.check(over=True)


def test_a_second_signal_ends_a_worker_at_once_though_thread_and_redis_hang(
    fleet: Fleet, client: Client, server: RedisServer, tmp_path: Path
) -> None:
    worker = fleet.start(app=app(tmp_path), grace=60.0)
    client.enqueue("blocker", 60.0)
    until_it_blocks(tmp_path)
    server.pause()
    worker.term()
    until(lambda: "handing its runs over" in worker.text())
    time.sleep(0.6)  # signals within half a second count as one

    worker.term()

    try:
        worker.wait(5)
    finally:
        server.resume()


@pytest.mark.parametrize("lasting", ["thread", "hook"])
def test_what_the_app_leaves_running_keeps_no_worker(
    fleet: Fleet, tmp_path: Path, lasting: str
) -> None:
    left = {
        "thread": "threading.Thread(target=lambda: time.sleep(60)).start()\n",
        "hook": "atexit.register(lambda: time.sleep(60))\n",
    }[lasting]
    command = [sys.executable, "-m", "penstock.worker.cli", "worker", app(tmp_path, left)]
    environ = {"PENSTOCK_REDIS": fleet.url, **QUICK}
    worker = fleet.run([*command, "--grace", "0", "--log-json"], environ).ready()

    worker.term()

    assert worker.wait(10) == 0
    assert any("the time to end is over" in entry["message"] for entry in worker.log())


def test_a_supervisor_passes_a_second_signal_on(
    fleet: Fleet, client: Client, tmp_path: Path
) -> None:
    supervisor = fleet.start(app=app(tmp_path), processes=2, grace=60.0)
    client.enqueue("blocker", 60.0)
    until_it_blocks(tmp_path)
    supervisor.term()
    until(lambda: "handing its runs over" in supervisor.text())
    time.sleep(0.6)  # signals within half a second count as one

    supervisor.term()

    assert supervisor.wait(6) == 0


def test_a_signal_to_the_whole_group_counts_once_for_each_worker_process(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    """As of Ctrl-C in a terminal: they get it, and the supervisor passes it on."""
    supervisor = fleet.start(processes=2)
    run = client.enqueue("steps", {"steps": 2, "seconds": 1.5})
    fleet.executing(run.run_id, 2)

    os.killpg(supervisor.pid, signal.SIGINT)

    assert supervisor.wait(10) == 0
    assert run.info().crashes == 0
    assert fleet.executions(run.run_id) == {"": 1, "step:0": 1}, "its step came to its end"
    assert len(checker.check().checkpoints(run.run_id)) > 1


def test_a_supervisor_ends_a_process_that_does_not_end(fleet: Fleet) -> None:
    supervisor = fleet.start(processes=2, grace=0.0)
    frozen = children(supervisor.pid)[0]
    os.kill(frozen, signal.SIGSTOP)

    supervisor.term()

    assert supervisor.wait(12) == 0
    assert not is_alive(frozen)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGHUP, signal.SIGABRT])
def test_the_processes_of_a_supervisor_that_dies_drain(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, signum: signal.Signals
) -> None:
    supervisor = fleet.start(processes=2)
    pids = children(supervisor.pid)
    run = client.enqueue("steps", {"steps": 8, "seconds": 0.3})
    fleet.executing(run.run_id, 3)

    os.kill(supervisor.pid, signum)

    supervisor.wait(10)
    until(lambda: not any(is_alive(pid) for pid in pids), 10)
    assert run.status() is RunStatus.QUEUED
    assert run.info().crashes == 0
    assert raw.scard("rq:workers") == 0
    checker.check()


def test_a_worker_process_that_is_still_starting_ends_with_its_supervisor(
    fleet: Fleet, raw: redis.Redis
) -> None:
    supervisor = fleet.start(processes=2)
    raw.config_set("maxclients", 1)
    os.kill(children(supervisor.pid)[0], signal.SIGKILL)
    until(lambda: "waiting for Redis" in supervisor.text())
    pids = children(supervisor.pid)
    assert len(pids) == 2

    os.kill(supervisor.pid, signal.SIGKILL)

    until(lambda: not any(is_alive(pid) for pid in pids), 10)


REFUSED = """
fork, calls = os.fork, []

def refuse_twice():
    calls.append(1)
    if len(calls) in (3, 4):  # those that replace
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = refuse_twice
"""


def test_a_fork_that_the_system_refuses_is_tried_again(
    fleet: Fleet, client: Client, tmp_path: Path
) -> None:
    supervisor = fleet.start(app=app(tmp_path, REFUSED), processes=2)
    killed, other = children(supervisor.pid)

    os.kill(killed, signal.SIGKILL)

    until(lambda: len(supervisor.logged("worker.started")) == 3, 15)
    assert other in children(supervisor.pid)
    assert len(children(supervisor.pid)) == 2
    assert client.enqueue("main", 5).result(10) == 5
    supervisor.term()
    assert supervisor.wait(10) == 0


LIMIT = """
import resource
threading.stack_size(64 * 1024 * 1024)
size = int(open("/proc/self/statm").read().split()[0]) * 4096
# as a container with a limit of processes: room for some 20 threads
resource.setrlimit(resource.RLIMIT_AS, (size + 22 * 64 * 1024 * 1024,) * 2)
"""

CROWD = """
import asyncio

@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

@task
async def anap(seconds: float) -> float:
    await asyncio.to_thread(time.sleep, seconds)
    return seconds

@entrypoint()
async def crowd(number: int) -> float:
    return sum(await asyncio.gather(*[nap(0.3) for _ in range(number)]))

@entrypoint()
async def acrowd(number: int) -> float:
    return sum(await asyncio.gather(*[anap(0.1) for _ in range(number)]))

@entrypoint()
def sync(number: int) -> float:
    return sum(each.result() for each in [nap(0.1) for _ in range(number)])
"""


def test_threads_that_the_system_refuses_cost_no_run(
    fleet: Fleet, client: Client, checker: Checker, tmp_path: Path
) -> None:
    environ = {**QUICK, "MALLOC_ARENA_MAX": "1"}
    worker = fleet.start(app=app(tmp_path, LIMIT, CROWD), environ=environ, concurrency=40)

    runs = [client.enqueue(name, 20) for name in ("crowd", "acrowd", "sync") for _ in range(3)]
    blockers = [client.enqueue("blocker", 0.5) for _ in range(20)]

    assert [round(run.result(60), 1) for run in runs] == [6.0] * 3 + [2.0] * 6
    assert [run.result(60) for run in blockers] == [None] * 20
    assert client.enqueue("main", 5).result(10) == 5
    assert {run.info().attempt for run in (*runs, *blockers)} == {1}
    assert "the system refuses a thread" in worker.text(), "the limit was met"
    assert "Exception in thread" not in worker.text()
    checker.check(over=True)


def test_a_pool_that_is_refused_threads_runs_each_function_once() -> None:
    code = (
        HEAD.replace("from penstock", "# from penstock")
        + LIMIT
        + """
from penstock.runtime.concurrency.patient_pool import PatientPool
from penstock.runtime.concurrency.thread_pool import ThreadPool

threads, done = ThreadPool(), []

def work(number):
    time.sleep(0.1)
    done.append(number)

pool = threads.executor
futures = [pool.submit(work, number) for number in range(100)]
for future in futures:
    future.result(30)
assert sorted(done) == list(range(100)), done
print("refused" if pool._max_workers > len(pool._threads) < 100 else "not refused")
threads.close()
assert threads.join(5)
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )

    assert done.stdout == "refused\n", done.stderr


def test_a_batch_and_a_pool_of_nobody_go_on_with_the_threads_they_get() -> None:
    code = (
        HEAD
        + LIMIT
        + """
from penstock.runtime.concurrency.patient_pool import PatientPool

@task
def double(x):
    time.sleep(0.05)
    return 2 * x

@entrypoint()
def main(x: int) -> int:
    return double(x).result()

crowd = [threading.Thread(target=time.sleep, args=[1]) for _ in range(60)]
started = 0
try:
    for each in crowd:
        each.start()
        started += 1
except RuntimeError:
    pass
assert started < 60, "no thread is left"
with PatientPool(4, "alone") as pool:
    assert pool.submit(lambda: 5).result(10) == 5
print(main.batch(list(range(50)), {"max_concurrency": 50}))
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )

    assert done.stdout == f"{[2 * number for number in range(50)]}\n", done.stderr
