"""Steps on a queue of their own: performed by its workers, recorded with the run they belong to."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import redis

import tests.faults.support.remote_flows as remote_flows
from penstock.publisher import subscribe
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.errors import RunFailedError
from penstock.runtime.testing.passing import pass_time
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet, WorkerProcess
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

APP = str(Path(remote_flows.__file__))
CALLER = [f"{call}:{when}" for call in ("send:1", "suspend:1") for when in ("before", "after")]
RECORDING = ["record:1:before", "record:1:after"]
FAR = [*RECORDING, "finish:1:before", "finish:1:after", "pop:1:after", "take:2:after"]


def start(fleet: Fleet, *queues: str, fault: str = "") -> WorkerProcess:
    environ = {**QUICK, **({"PENSTOCK_TEST_FAULT": fault} if fault else {})}
    return fleet.start(app=APP, queues=queues, environ=environ, ready=not fault)


def performing(raw: redis.Redis, run: RunHandle, step: str) -> str:
    """Return the id of the run that performs a step, once there is one."""
    found = until(lambda: raw.hget(f"penstock:remote:{run.run_id}", step))
    return bytes(found).decode()  # type: ignore[arg-type]


@pytest.mark.parametrize("entrypoint", ["one", "aone"])
def test_a_step_on_another_queue_is_performed_by_its_workers(
    fleet: Fleet, client: Client, checker: Checker, entrypoint: str
) -> None:
    near, far = start(fleet, "default"), start(fleet, "far")

    run = client.enqueue(entrypoint, {"number": 3})

    total, part = run.result(10)
    assert (total, part["number"]) == (3, 3)
    pids = {line["step"]: line["pid"] for line in fleet.journal(run.run_id)}
    assert pids == {"": near.pid, "near:0": near.pid, "far:0": far.pid}
    assert fleet.executions(run.run_id)["far:0"] == 1
    said = [chunk.data for chunk in run.stream("custom")]
    assert said == ["far 3 begins", "far 3 ends"]
    updates = [chunk.data for chunk in run.stream("updates")]
    assert [next(iter(update)) for update in updates] == ["near", "far", entrypoint]
    assert [listed.run_id for listed in client.runs()] == [run.run_id]
    checker.check(over=True)


def test_what_remote_steps_say_comes_live_and_once(
    fleet: Fleet, client: Client, checker: Checker, tmp_path: Path
) -> None:
    start(fleet, "default")
    start(fleet, "far")
    run = client.enqueue("many", [{"number": number, "seconds": 0.05} for number in range(12)])

    with subscribe(run.run_id, connection=fleet.url) as events:
        seen = list(events)

    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    words = [event.data for event in seen if event.mode == "custom"]
    assert sorted(words) == sorted(
        f"far {number} {what}" for number in range(12) for what in ("begins", "ends")
    )
    assert run.result(1) == [*range(12), *range(12)]
    checker.check_seen(run.run_id, seen)


def test_a_crowd_of_remote_steps_brings_its_run_back(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(
        fleet, "default", "far"
    )  # far steps of a run on "default", also where one worker has both
    run = client.enqueue("amany", [{"number": number} for number in range(100)])

    assert run.result(20) == list(range(100))
    assert set(fleet.executions(run.run_id).values()) == {1} | {fleet.executions(run.run_id)[""]}
    checker.check(over=True)


def test_f44_a_kill_at_any_point_of_either_worker_loses_nothing(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    points = (*CALLER, *FAR)
    queues = [f"near-{number}" for number in range(len(CALLER))]
    victims = [
        start(fleet, f"{'near' if point in CALLER else 'far'}-{number}", fault=f"{point}:kill")
        for number, point in enumerate(points)
    ]
    start(fleet, "default")  # sends the steps of those whose performers are struck
    # All have looked and wait for a ticket; the one struck after its pop may be gone already.
    until(lambda: int(raw.info("clients")["blocked_clients"]) >= len(points), 20)
    runs = [
        client.enqueue(
            "to",
            number,
            queue=queues[number] if point in CALLER else "default",
            durability="sync",  # so that a step is recorded before the run that performed it ends
        )
        for number, point in enumerate(points)
    ]
    for point, victim in zip(points, victims, strict=True):
        assert victim.wait(20) == -signal.SIGKILL, point
    checker.check()

    start(fleet, "default", *queues, *(f"far-{number}" for number in range(len(points))))

    for number, (point, run) in enumerate(zip(points, runs, strict=True)):
        assert run.result(20) == number, point
        times = fleet.executions(run.run_id)[f"far_{number}:0"]
        # In flight until it is recorded, which the first write need not have done yet.
        assert times in ((1, 2) if point in RECORDING else (1,)), point
    checker.check(over=True)


def test_f44_a_zombie_of_the_other_queue_is_fenced(
    fleet: Fleet, client: Client, checker: Checker, tmp_path: Path
) -> None:
    start(fleet, "default")
    zombie, file = start(fleet, "far"), tmp_path / "file"
    run = client.enqueue("waiting", str(file))
    fleet.executing(run.run_id, 2)
    zombie.stop()
    other = start(fleet, "far")
    fleet.executing(run.run_id, 3)
    file.write_text("done")

    assert run.result(10) == "done"
    before = checker.check(over=True)
    zombie.cont()

    until(lambda: zombie.logged("lease.lost") or zombie.logged("run.lost"))
    assert other.running
    assert checker.check(over=True).events(run.run_id) == before.events(run.run_id)


def test_f44_a_run_that_is_over_takes_no_late_result(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, tmp_path: Path
) -> None:
    start(fleet, "default")
    far, file = start(fleet, "far"), tmp_path / "file"
    run = client.enqueue("waiting", str(file))
    fleet.executing(run.run_id, 2)
    remote = performing(raw, run, "waits_for:0")
    reaches(run, RunStatus.SUSPENDED)  # the step may begin elsewhere before its caller has left

    run.cancel()

    assert run.status() is RunStatus.CANCELLED
    before = checker.check().events(run.run_id)
    file.write_text("late")
    until(lambda: raw.hget(f"penstock:run:{remote}", "status") == b"cancelled")
    assert far.running
    assert checker.check(over=True).events(run.run_id) == before


def test_f44_a_forged_run_cannot_report_to_another(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, tmp_path: Path
) -> None:
    start(fleet, "default")
    run = client.enqueue("waiting", str(tmp_path / "file"))
    real = performing(raw, run, "waits_for:0")
    fields = raw.hgetall(f"penstock:run:{real}")
    raw.hset("penstock:run:forged", mapping=fields)  # type: ignore[arg-type]
    raw.hset("rq:job:forged", "origin", "far")
    raw.lpush("rq:queue:far", "forged")

    start(fleet, "far")

    fleet.executing(run.run_id, 2)
    (tmp_path / "file").write_text("real")
    assert run.result(10) == "real"
    assert fleet.executions(run.run_id)["waits_for:0"] == 1
    for key in ("penstock:run:forged", "rq:job:forged"):
        assert 0 < int(raw.pttl(key)) <= 60_000


def test_f42_cancelling_a_run_cancels_its_steps_that_nobody_has_taken(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    start(fleet, "default")
    run = client.enqueue("one", {"number": 1})
    remote = performing(raw, run, "far:0")
    reaches(run, RunStatus.SUSPENDED)

    assert run.cancel() is RunStatus.CANCELLED

    assert raw.hget(f"penstock:run:{remote}", "status") == b"cancelled"
    start(fleet, "far")
    assert client.enqueue("one", {"number": 2}).result(10)[0] == 3
    assert "far:0" not in fleet.executions(run.run_id)
    checker.check(over=True)


def test_a_remote_step_that_is_cancelled_by_itself_fails_in_its_run(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    start(fleet, "default")
    run = client.enqueue("one", {"number": 1})
    reaches(run, RunStatus.SUSPENDED)

    client.get(performing(raw, run, "far:0")).cancel()

    with pytest.raises(RunFailedError, match="far:0"):
        run.result(10)
    assert "cancelled" in run.info().reason
    start(fleet, "far")
    run.resume()
    assert run.result(10)[0] == 3
    assert fleet.executions(run.run_id)["near:0"] == 1
    checker.check(over=True)


def test_f17_a_remote_step_that_kills_its_workers_fails_its_run_alone(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    near = start(fleet, "default")
    supervisor = fleet.start(app=APP, queues=("far",), processes=1)

    run = client.enqueue("poisoned", int(signal.SIGKILL))

    with pytest.raises(RunFailedError, match="kills:0"):
        run.result(30)
    assert "PoisonRunError" in run.info().reason
    assert near.running and supervisor.running
    assert client.enqueue("one", {"number": 1}).result(10)[0] == 3
    assert fleet.executions(run.run_id)["kills:0"] == 3
    checker.check(over=True)


def test_an_error_of_a_remote_step_is_that_of_its_run(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    start(fleet, "default")
    start(fleet, "far")

    assert client.enqueue("failing", "no luck").result(10) == "survived no luck"
    run = client.enqueue("dying", "no luck")
    with pytest.raises(RunFailedError) as raised:
        run.result(10)
    assert isinstance(raised.value.__cause__, ValueError)
    run.resume()
    with pytest.raises(RunFailedError):
        run.result(10)

    assert fleet.executions(run.run_id)["fails:0"] == 2
    checker.check(over=True)


def test_tries_of_a_remote_step_are_its_own(fleet: Fleet, client: Client, checker: Checker) -> None:
    start(fleet, "default")
    start(fleet, "far")

    run = client.enqueue("retrying", "word")

    assert run.result(10) == 3
    assert [line["step"] for line in fleet.journal(run.run_id)].count("fails_twice:0") == 3
    checker.check(over=True)


def test_a_step_whose_record_was_deleted_by_hand_is_sent_again(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    start(fleet, "default")
    run = client.enqueue("one", {"number": 1})
    reaches(run, RunStatus.SUSPENDED)
    raw.delete(f"penstock:run:{performing(raw, run, 'far:0')}")
    raw.delete("rq:queue:far")
    start(fleet, "far")

    pass_time(raw, "penstock", 3600.0)  # it looks after its steps once an hour

    assert run.result(10)[0] == 3


def test_a_worker_of_the_queue_without_the_task_leaves_it_to_one_that_has_it(
    fleet: Fleet, client: Client, checker: Checker, raw: redis.Redis
) -> None:
    start(fleet, "default")
    fleet.start(queues=("far",))
    run = client.enqueue("one", {"number": 1})
    until(lambda: raw.zcard("penstock:parked:far:t:far") == 1)
    checker.check()

    start(fleet, "far")

    assert run.result(10)[0] == 3
    checker.check(over=True)


def test_f15_a_worker_of_the_queue_that_drains_lets_its_step_end(
    fleet: Fleet, client: Client, checker: Checker, tmp_path: Path
) -> None:
    start(fleet, "default")
    far, file = start(fleet, "far"), tmp_path / "file"
    run = client.enqueue("waiting", str(file))
    fleet.executing(run.run_id, 2)

    far.term()
    file.write_text("done")

    assert run.result(10) == "done"
    assert far.wait() == 0
    assert fleet.executions(run.run_id)["waits_for:0"] == 1
    checker.check(over=True)


def test_show_says_who_performs_a_step(
    fleet: Fleet, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from penstock.worker.cli import main

    start(fleet, "default")
    run = client.enqueue("waiting", str(tmp_path / "file"))
    reaches(run, RunStatus.SUSPENDED)

    def shown() -> str:
        main(["show", run.run_id, "--redis", fleet.url], standalone_mode=False)
        return capsys.readouterr().out

    assert "step waits_for:0" in shown()
    assert "no worker listens" in shown()
    start(fleet, "far")
    fleet.executing(run.run_id, 2)
    assert "executes it" in shown()
    main(["show", run.run_id, "--redis", fleet.url, "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert [step["status"] for step in told["steps"]] == ["running"]
    (tmp_path / "file").write_text(str(os.getpid()))
    assert run.result(10) == str(os.getpid())


def test_plain_rq_workers_send_and_perform_steps(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker
) -> None:
    for queue in ("default", "far"):
        rq = str(Path(sys.executable).with_name("rq"))
        command = [rq, "worker", queue, "--serializer", "json", "--url", fleet.url]
        fleet.run(command, {"PENSTOCK_APP": APP, **QUICK})

    run = client.enqueue("many", [{"number": 1}, {"number": 2, "seconds": 0.5}])

    assert run.result(20) == [1, 2, 1, 2]
    assert fleet.executions(run.run_id)["far:0"] == 1
    checker.check(over=True)
