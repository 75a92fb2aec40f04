"""What Redis has on disk is not what it had in memory; or it keeps nothing there at all."""

from __future__ import annotations

import pytest
import redis

from penstock.publisher import subscribe
from penstock.publisher.errors import CursorExpiredError
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


def cut_tail(server: RedisServer, size: int) -> None:
    """Lose the end of the append-only file, as a power cut does."""
    files = [path for path in server.directory.rglob("*.aof") if path.stat().st_size]
    newest = max(files, key=lambda path: path.stat().st_mtime)
    with newest.open("r+b") as file:
        file.truncate(size)


def written(server: RedisServer) -> int:
    """Return how long the append-only file is, with all that was written so far."""
    raw = server.client()
    raw.config_set("appendfsync", "always")
    raw.set("test:flush", 1, ex=60)
    return sum(path.stat().st_size for path in server.directory.rglob("*.aof"))


def test_f26_a_worker_that_is_ahead_of_what_was_left_on_disk_is_fenced(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    worker = fleet.start()
    run = client.enqueue("asteps", {"steps": 30, "seconds": 0.1}, durability="sync")
    fleet.executing(run.run_id, 4)
    size = written(server)
    lost = fleet.executing(run.run_id, 10)

    server.kill()
    cut_tail(server, size)
    server.start()

    assert run.result(20) == list(range(30))
    assert run.info().attempt == 2
    assert worker.logged("run.lost")
    assert fleet.executions(run.run_id)[lost["step"]] == 2
    recorded = checker.check(over=True).checkpoints(run.run_id)
    assert {f"astep:{number}" for number in range(30)} <= recorded.keys()


def test_f26_a_cut_in_the_middle_of_a_write_leaves_all_or_nothing_of_it(
    fleet: Fleet, client: Client, server: RedisServer, checker: Checker
) -> None:
    worker = fleet.start()
    runs = [client.enqueue("ask", "well?") for _ in range(5)]
    for run in runs:
        reaches(run, RunStatus.SUSPENDED)
    size = written(server)
    for run in runs:
        run.resume("yes")
        reaches(run, RunStatus.COMPLETED)
    whole = written(server)
    worker.term()
    worker.wait()

    server.kill()
    cut_tail(server, size + (whole - size) // 2 + 7)
    server.start()

    checker = Checker(server.client())
    checker.check()
    fleet.start()
    for run in runs:
        if run.status() is RunStatus.SUSPENDED:
            run.resume("yes")
        assert run.result(10) == [1, "yes", 2]
    checker.check(over=True)


def test_f26_who_has_seen_what_is_lost_is_told(
    fleet: Fleet, client: Client, server: RedisServer
) -> None:
    fleet.start()
    run: RunHandle = client.enqueue("ask", "well?")
    reaches(run, RunStatus.SUSPENDED)
    size = written(server)
    run.resume("yes")
    reaches(run, RunStatus.COMPLETED)
    with subscribe(run.run_id, connection=server.url) as events:
        last = list(events)[-1]

    server.kill()
    cut_tail(server, size)
    server.start()

    with pytest.raises(CursorExpiredError):
        with subscribe(run.run_id, after=last.seq, connection=server.url, timeout=5) as events:
            list(events)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [("appendonly", "no", "disk"), ("maxmemory-policy", "allkeys-lru", "maxmemory-policy")],
)
@pytest.mark.parametrize("processes", [0, 2])
def test_f28_a_worker_warns_of_a_server_that_forgets(
    fleet: Fleet, raw: redis.Redis, setting: str, value: str, said: str, processes: int
) -> None:
    raw.config_set(setting, value)

    worker = fleet.start(processes=processes)

    warned = worker.logged("redis.risk")
    assert len(warned) == 1  # not once a process
    assert warned[0]["level"] == "WARNING"
    assert said in warned[0]["message"]
    assert "penstock doctor" in warned[0]["message"]


def test_f28_a_server_that_keeps_all_brings_no_warning(fleet: Fleet, client: Client) -> None:
    worker = fleet.start()

    assert client.enqueue("main", {"x": 1}).result(5) == 2

    until(lambda: worker.logged("run.ended"))
    assert worker.logged("redis.risk") == []
