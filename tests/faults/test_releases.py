"""Several versions: of the app's code, of Penstock, of what is stored."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from penstock.publisher import subscribe
from penstock.runtime import Client
from penstock.runtime.errors import RunFailedError
from penstock.runtime.types.run import RunStatus
from tests.faults.support.invariants import Checker
from tests.faults.support.releases import FOLDER, restore
from tests.faults.support.workers import QUICK, Fleet
from tests.support.until import reaches, until

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

RELEASES = sorted(FOLDER.glob("*.json"))

ASKING = """
from penstock.runtime import entrypoint, interrupt, task

@task
def once() -> int:
    open("{log}", "a").write("once ")
    return 1

@entrypoint()
def survey(question: str) -> list:
    return [once().result(), interrupt(question)]
"""

OTHER = """
from penstock.runtime import entrypoint

@entrypoint()
def other(x: int) -> int:
    return x
"""


def test_f67_a_run_whose_code_is_gone_goes_on_when_it_is_back(
    fleet: Fleet, client: Client, tmp_path: Path, checker: Checker, raw: redis.Redis
) -> None:
    log, app, later = tmp_path / "log", tmp_path / "asking.py", tmp_path / "other.py"
    app.write_text(ASKING.format(log=log))
    later.write_text(OTHER)
    old = fleet.start(app=str(app))
    run = client.enqueue("survey", "well?")
    reaches(run, RunStatus.SUSPENDED)
    old.term()
    old.wait()
    new = fleet.start(app=str(later))

    run.resume("yes")

    until(lambda: raw.zscore("penstock:parked:default:e:survey", run.run_id))
    assert run.status() is RunStatus.QUEUED
    assert client.enqueue("other", 1).result(5) == 1
    new.term()
    new.wait()
    fleet.start(app=str(app))
    assert run.result(10) == [1, "yes"]
    assert log.read_text() == "once "
    checker.check(over=True)


@pytest.mark.parametrize("release", RELEASES, ids=[file.stem for file in RELEASES])
def test_f68_runs_that_an_older_release_has_stored_go_on(
    fleet: Fleet, client: Client, raw: redis.Redis, checker: Checker, release: Path
) -> None:
    restore(raw, release)
    before = checker.check()
    order = {"number": 7, "placed": datetime(2026, 11, 23, 12, tzinfo=UTC), "tags": ("a", "b")}

    fleet.start(app=str(FOLDER / "flows_0_1.py"))

    assert client.get("queued").result(10) == [1, 2, 3, 4, 5]
    client.get("asked").resume("yes")
    bought, total, approved = client.get("asked").result(10)
    assert {name: getattr(bought, name, None) or bought[name] for name in order} == order
    assert (total, approved) == (17.5, "yes")
    assert client.get("done").result(1) == [1, 2, 3]
    with pytest.raises(RunFailedError, match="not in stock"):
        client.get("failed").result(1)
    behind = client.get("behind")
    reaches(behind, RunStatus.SUSPENDED)
    assert client.get("first").status() is RunStatus.CANCELLED  # others waited behind its question
    behind.resume("no")
    assert behind.result(10)[1:] == [17.5, "no"]
    with subscribe("asked", connection=fleet.url) as events:
        seen = list(events)
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    stored = before.events("asked")
    assert [event.mode for event in seen[: len(stored)]] == [entry.mode for entry in stored]
    checker.check(over=True)


def test_f69_workers_of_two_releases_serve_one_queue(
    fleet: Fleet, client: Client, checker: Checker
) -> None:
    old = fleet.start(concurrency=6)
    new = fleet.start(environ={**QUICK, "PENSTOCK_TEST_RELEASE": "next"}, concurrency=6)
    runs = [client.enqueue("asteps", {"steps": 8, "seconds": 0.15}) for _ in range(12)]
    until(lambda: {line["pid"] for line in fleet.journal()} == {old.pid, new.pid})
    asked = [client.enqueue("ask", "well?") for _ in range(4)]
    for run in asked:
        reaches(run, RunStatus.SUSPENDED)

    old.kill()
    for run in asked:
        run.resume("yes")

    assert [run.result(20) for run in runs] == [list(range(8))] * 12
    assert [run.result(20) for run in asked] == [[1, "yes", 2]] * 4
    checker.check(over=True)
