"""A reader in another language, written from the page about events, sees what ours sees."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from penstock.publisher.subscribe import subscribe
from penstock.runtime import Client
from penstock.runtime.client.run import RunHandle
from tests.faults.support.fixtures import checker, client, fleet, raw, server
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer

__all__ = ["checker", "client", "fleet", "raw", "server"]

READER = Path(__file__).with_name("reader.mjs")

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node here")


def reading(server: RedisServer, run: RunHandle, after: int = 0) -> subprocess.Popen[str]:
    command = ["node", str(READER), str(server.port), run.run_id, str(after)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(reader: subprocess.Popen[str]) -> list[dict[str, Any]]:
    out, err = reader.communicate(timeout=30)
    assert (reader.returncode, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def ours(server: RedisServer, run: RunHandle, after: int = 0) -> list[tuple[int, str]]:
    with subscribe(run.run_id, after, connection=server.url, timeout=10) as events:
        return [(event.seq, event.mode) for event in events]


def test_it_follows_a_run_while_its_connections_are_cut(
    fleet: Fleet, client: Client, server: RedisServer, raw: redis.Redis
) -> None:
    fleet.start()
    run = client.enqueue("talk", {"steps": 30, "seconds": 0.1})
    reader = reading(server, run)
    fleet.executing(run.run_id, 3)

    for kind in ("pubsub", "normal", "pubsub"):
        raw.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        time.sleep(0.3)  # so that it comes back in between

    seen = read(reader)
    assert [(each["seq"], each["mode"]) for each in seen] == ours(server, run)
    ends = [each["data"]["outcome"] for each in seen if each["mode"] == "step.finished"]
    assert len(ends) == 30
    assert all("value" in outcome for outcome in ends)


def test_it_reads_large_events_and_goes_on_after_a_cursor(
    fleet: Fleet, client: Client, server: RedisServer
) -> None:
    fleet.start()
    run = client.enqueue("large", 200_000)
    live = read(reading(server, run))
    run.result(20)

    assert [(each["seq"], each["mode"]) for each in live] == ours(server, run)
    assert max(len(json.dumps(each)) for each in live) > 200_000

    assert read(reading(server, run, 2)) == live[2:], "late, from a cursor"
    assert read(reading(server, run, len(live))) == [], "it has seen the end"
