"""F108: a bulk that is killed, repeated, or under way twice changes no run twice."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from penstock.runtime import Client
from tests.faults.support.invariants import Checker
from tests.faults.support.workers import QUICK, Fleet
from tests.support.attempts import end
from tests.support.server import RedisServer
from tests.worker.commands import program

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

COUNT = 250
"""Runs, of which one script call changes 100."""


@contextmanager
def bulk(server: RedisServer, action: str) -> Generator[subprocess.Popen[str]]:
    arguments = ("bulk", action, "--all", "--json", "--redis", server.url)
    with subprocess.Popen(program(*arguments), stdout=subprocess.PIPE, text=True) as process:
        yield process


def progress(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def fail_all(client: Client) -> list[str]:
    names = [client.enqueue("main", number).run_id for number in range(COUNT)]
    for name in names:
        end(client, name, "failed")
    return names


@pytest.mark.parametrize("action", ["resume", "rerun", "cancel"])
def test_i36_killed_repeated_and_twice_at_once_each_run_is_changed_once(
    server: RedisServer, client: Client, checker: Checker, raw: redis.Redis, action: str
) -> None:
    if action == "cancel":
        names = [client.enqueue("main", number).run_id for number in range(COUNT)]
    else:
        names = fail_all(client)
    changed: list[str] = []
    for _ in range(2):
        with bulk(server, action) as process:
            changed += progress(process)["run_ids"]
            process.kill()
    between = changes(client, action, names)
    assert len(changed) <= sum(between.values()) < COUNT

    with bulk(server, action) as one, bulk(server, action) as other:
        ends = [json.loads(process.communicate()[0].splitlines()[-1]) for process in (one, other)]

    assert sum(end["done"] for end in ends) == COUNT - sum(between.values())
    assert changes(client, action, names) == dict.fromkeys(names, 1)
    assert len(set(changed)) == len(changed)
    checker.check(over=action == "cancel")


def test_f108_a_bulk_on_a_worker_goes_on_where_the_worker_dies(
    server: RedisServer, client: Client, checker: Checker, fleet: Fleet
) -> None:
    names = [client.enqueue("main", number, queue="idle").run_id for number in range(COUNT)]
    run = client.start_bulk("cancel", queue="idle", rate=100)
    first = fleet.start(environ=QUICK)
    next(iter(run.stream("custom")))
    first.kill()
    fleet.start(environ=QUICK)

    found = run.result(60)

    assert changes(client, "cancel", names) == dict.fromkeys(names, 1)
    assert found["done"] + found["skipped"] <= COUNT
    assert client.counts() == {"cancelled": COUNT, "completed": 1}
    checker.check(over=True)


def changes(client: Client, action: str, names: list[str]) -> dict[str, int]:
    """Count what was done to each run, by what the runs say."""
    if action == "rerun":
        counted: Counter[str] = Counter()
        page = client.runs("queued", 500)
        counted.update(run.rerun_of for run in page)
        return dict(counted)
    mode = "run.resumed" if action == "resume" else "run.finished"
    found: dict[str, int] = {}
    for name in names:
        events: Any = client.connection.lrange(f"penstock:events:{name}", 0, -1)
        if times := sum(f'"mode":"{mode}"'.encode() in event for event in events):
            found[name] = times
    return found
