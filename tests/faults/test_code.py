"""Runs whose code only some workers have: they wait for one of those, and none fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.redis.plans.requests import UnannouncedEntrypointWarning
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

OLD = """
from penstock.runtime import entrypoint

@entrypoint()
def first(x: int) -> int:
    return x
"""

NEW = """
import time
from penstock.runtime import entrypoint, interrupt, sleep, task

@entrypoint()
def first(x: int) -> int:
    return x

@entrypoint()
def second(x: int) -> int:
    return 2 * x

@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds

@entrypoint()
def long(seconds: float) -> int:
    return len([nap(seconds).result() for _ in range(4)])

@entrypoint()
def asks(x: int) -> int:
    return x + interrupt("how much?")

@entrypoint()
def sleeps(seconds: float) -> str:
    sleep(seconds)
    return "awake"
"""

GPU = """
from penstock.runtime import entrypoint, task

@task(queue="gpu")
def infer(x: int) -> int:
    return 3 * x

@entrypoint()
def model(x: int) -> int:
    return infer(x).result()
"""

PENSTOCK = str(Path(sys.executable).parent / "penstock")


class Deploy:
    """Starts workers of the old and the new code."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet = fleet
        self._folder = folder

    def start(self, name: str, code: str, *queues: str, **options: Any) -> WorkerProcess:
        app = self._folder / f"{name}.py"
        app.write_text(code)
        return self._fleet.start(app=str(app), queues=queues or ("default",), **options)

    def old(self, **options: Any) -> WorkerProcess:
        return self.start("old", OLD, **options)

    def new(self, **options: Any) -> WorkerProcess:
        return self.start("new", NEW, **options)


@pytest.fixture
def deploy(fleet: Fleet, tmp_path: Path) -> Deploy:
    return Deploy(fleet, tmp_path)


def is_parked(raw: redis.Redis, run: RunHandle) -> bool:
    name = f"penstock:parked:default:e:{run.info().entrypoint}"
    return raw.zscore(name, run.run_id) is not None


def parked(raw: redis.Redis, *runs: RunHandle) -> None:
    until(lambda: all(is_parked(raw, run) for run in runs), what="all runs are parked")


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_f67_no_run_fails_while_old_and_new_workers_share_a_queue(
    deploy: Deploy, client: Client, checker: Checker, order: tuple[str, ...]
) -> None:
    workers = {name: getattr(deploy, name)() for name in order}

    runs = [client.enqueue("second", x) for x in range(10)]
    others = [client.enqueue("first", x) for x in range(10)]
    assert [run.result(10) for run in runs] == [2 * x for x in range(10)]
    assert [run.result(10) for run in others] == list(range(10))
    workers["old"].term()
    assert workers["old"].wait() == 0

    assert client.enqueue("second", 7).result(10) == 14
    assert [run.info().attempt for run in runs] == [1] * 10
    checker.check(over=True)


def test_f67_a_run_that_nobody_can_execute_is_taken_as_soon_as_somebody_can(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    deploy.old()
    runs = [client.enqueue("second", x) for x in range(3)]
    parked(raw, *runs)
    assert raw.llen("rq:queue:default") == 0
    checker.check()
    assert client.enqueue("first", 1).result(5) == 1  # it keeps nobody from work

    deploy.new()

    began = time.monotonic()
    assert [run.result(10) for run in runs] == [0, 2, 4]
    assert time.monotonic() - began < 3
    assert raw.keys("penstock:parked:*") == []
    checker.check(over=True)


def test_f67_a_worker_at_work_finds_what_another_has_parked(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    new = deploy.new()
    deploy.old()
    new.stop()
    run = client.enqueue("second", 1)
    parked(raw, run)

    new.cont()

    began = time.monotonic()
    assert run.result(10) == 2
    assert time.monotonic() - began < 3
    checker.check(over=True)


def test_f67_a_parked_run_says_what_it_waits_for(
    deploy: Deploy, client: Client, raw: redis.Redis, server: Any
) -> None:
    deploy.old()
    run = client.enqueue("second", 1)
    parked(raw, run)

    def said(*command: str) -> str:
        line = [PENSTOCK, *command, "--redis", server.url]
        return subprocess.run(line, capture_output=True, text=True, check=False).stdout

    shown = " ".join(said("show", run.run_id).split())
    assert "waits for a worker that has entrypoint 'second', on queue 'default'" in shown
    found = [json.loads(line) for line in said("doctor", "--json").splitlines()]
    told = [each["message"] for each in found if each["check"] == "workers"]
    assert told == ["1 run on queue 'default' waits for a worker that has entrypoint 'second'"]
    assert [each["level"] for each in found if each["check"] == "orphans"] == ["ok"]


def test_f67_a_worker_without_the_task_leaves_the_step_to_one_that_has_it(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker, server: Any
) -> None:
    deploy.start("gpu", GPU, "default")
    deploy.start("without", OLD, "gpu")
    run = client.enqueue("model", 2)
    until(lambda: raw.zcard("penstock:parked:gpu:t:infer") == 1)
    line = [PENSTOCK, "show", run.run_id, "--redis", server.url]
    shown = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    assert "a worker that has task 'infer', on queue 'gpu'" in " ".join(shown.split())
    checker.check()

    deploy.start("with", GPU, "gpu")

    assert run.result(10) == 6
    checker.check(over=True)


@pytest.mark.parametrize("fault", ["pop:1:after", "take:2:before", "take:2:after"])
def test_f67_a_worker_that_dies_with_the_ticket_in_hand_loses_no_run(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker, fault: str
) -> None:
    old = deploy.old(environ={**QUICK, "PENSTOCK_TEST_FAULT": f"{fault}:kill"}, ready=False)
    run = client.enqueue("second", 4)
    until(lambda: not old.running)

    deploy.new()

    assert run.result(15) == 8
    checker.check(over=True)


def test_f67_a_recovered_run_waits_for_a_worker_with_its_code(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    deploy.old()
    new = deploy.new()
    run = client.enqueue("long", 0.5)
    reaches(run, RunStatus.RUNNING)

    new.kill()

    parked(raw, run)
    deploy.new()
    assert run.result(10) == 4
    checker.check(over=True)


def test_f67_a_run_that_is_handed_over_waits_for_a_worker_with_its_code(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    deploy.old()
    new = deploy.new()
    run = client.enqueue("long", 0.5)
    reaches(run, RunStatus.RUNNING)

    new.term()
    assert new.wait() == 0

    parked(raw, run)
    deploy.new()
    assert run.result(10) == 4
    assert run.info().crashes == 0
    checker.check(over=True)


def test_f67_an_answer_and_a_timer_wake_runs_for_workers_with_their_code(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    patient = {**QUICK, "PENSTOCK_PATIENCE": "0"}
    new = deploy.new(environ=patient)
    asks, sleeps = client.enqueue("asks", 1), client.enqueue("sleeps", 1.5)
    reaches(asks, RunStatus.SUSPENDED)
    reaches(sleeps, RunStatus.SUSPENDED)
    new.term()
    assert new.wait() == 0
    deploy.old()

    asks.resume(41)

    parked(raw, asks, sleeps)
    deploy.new(environ=patient)
    assert (asks.result(10), sleeps.result(10)) == (42, "awake")
    checker.check(over=True)


def test_f67_a_lost_list_of_parked_runs_is_built_again(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    deploy.old()
    run = client.enqueue("second", 3)
    parked(raw, run)

    raw.delete("penstock:parked:default", "penstock:parked:default:e:second")

    parked(raw, run)
    checker.check()
    raw.delete("penstock:parked:default")
    deploy.new()
    assert run.result(10) == 6
    checker.check(over=True)


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_f67_a_parked_run_that_is_ended_is_parked_no_more(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker, how: str
) -> None:
    deploy.old()
    run = client.enqueue("second", 3, thread_id="t")
    parked(raw, run)

    run.cancel()
    if how == "delete":
        client.thread("t").delete()

    assert raw.keys("penstock:parked:*") == []
    deploy.new()
    assert client.enqueue("second", 5).result(10) == 10
    checker.check(over=True)


def test_f67_a_worker_whose_app_is_forgotten_announces_it_again(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    deploy.new()
    assert client.enqueue("second", 1).result(10) == 2

    raw.flushall()
    runs = [client.enqueue("second", x) for x in range(5)]

    assert [run.result(10) for run in runs] == [0, 2, 4, 6, 8]
    assert not any("parked" in fields for fields in checker.check(over=True).runs().values())


def test_f67_plain_rq_workers_leave_each_other_what_they_do_not_have(
    deploy: Deploy, fleet: Fleet, client: Client, raw: redis.Redis, tmp_path: Path, checker: Checker
) -> None:
    def plain(name: str, code: str) -> None:
        app = tmp_path / f"{name}.py"
        app.write_text(code)
        rq = str(Path(sys.executable).parent / "rq")
        command = [rq, "worker", "--serializer", "json", "--url", fleet.url, "default"]
        fleet.run(command, {"PENSTOCK_APP": str(app), "PENSTOCK_REDIS": fleet.url, **QUICK})

    plain("old", OLD)
    plain("older", OLD)
    plain("new", NEW)
    until(lambda: raw.scard("rq:workers:default") == 3)

    runs = [client.enqueue("second", x) for x in range(4)]

    assert [run.result(30) for run in runs] == [0, 2, 4, 6]
    checker.check(over=True)


def test_f67_what_plain_rq_workers_have_parked_is_taken_by_a_worker_that_has_it(
    deploy: Deploy, fleet: Fleet, client: Client, raw: redis.Redis, tmp_path: Path, checker: Checker
) -> None:
    app = tmp_path / "plain.py"
    app.write_text(OLD)
    rq = str(Path(sys.executable).parent / "rq")
    command = [rq, "worker", "--serializer", "json", "--url", fleet.url, "default"]
    fleet.run(command, {"PENSTOCK_APP": str(app), "PENSTOCK_REDIS": fleet.url, **QUICK})
    run = client.enqueue("second", 6)
    parked(raw, run)

    deploy.new()

    assert run.result(10) == 12
    checker.check(over=True)


@pytest.mark.filterwarnings("always:no live worker has announced")
def test_a_client_warns_of_a_name_once(client: Client) -> None:
    with pytest.warns(UnannouncedEntrypointWarning) as warned:
        for x in range(5):
            client.enqueue("second", x)
        client.enqueue("third", 1)

    assert [str(each.message).split("'")[1] for each in warned] == ["second", "third"]
    assert {each.filename for each in warned} == {__file__}


@pytest.mark.filterwarnings("default:no live worker has announced")
def test_a_process_warns_of_a_name_once(server: Any) -> None:
    with pytest.warns(UnannouncedEntrypointWarning) as warned:
        for x in range(5):
            Client(server.url, settings=Settings(redis=server.url)).enqueue("fourth", x)

    assert len({str(each.message) for each in warned}) == 1


def test_f67_a_worker_that_is_stopped_keeps_no_parked_run_from_others(
    deploy: Deploy, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    old = deploy.old()
    run = client.enqueue("second", 1)
    parked(raw, run)

    old.term()
    assert old.wait() == 0
    deploy.new(burst=True, ready=False)

    assert run.result(10) == 2
    checker.check(over=True)
