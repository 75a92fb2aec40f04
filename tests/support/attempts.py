"""Attempts of runs without an engine: claimed, and ended as a worker would end them."""

from __future__ import annotations

import json
import time
from typing import Literal

from penstock.publisher.event import encode
from penstock.publisher.redis.script import run as send
from penstock.runtime import Client
from penstock.runtime.journal.endings import Finished, Suspended
from penstock.runtime.redis.calls import Write
from penstock.runtime.redis.replies import Claim, Lease


def take(client: Client, run_id: str) -> Lease:
    calls = client.plans.calls
    claim = calls.acquired(send(client.connection, calls.acquire(run_id, "w", run_id, 60)))
    assert isinstance(claim, Claim)
    return claim.lease


def event(mode: str, data: object) -> list[str]:
    return [encode(mode, json.dumps(data), thread="", time=time.time()), ""]


def store(client: Client, run_id: str, write: Write) -> None:
    call = client.plans.calls.write(take(client, run_id), write, 0)
    assert send(client.connection, call) == b"OK"


def end(client: Client, run_id: str, status: Literal["completed", "failed"] = "completed") -> None:
    events = event("run.finished", {"name": "main", "status": status})
    store(client, run_id, Write(1, {"result": "{}"}, events, Finished(status, None)))


def ask(client: Client, run_id: str, name: str = "q") -> None:
    events = event("run.interrupted", {"interrupts": []})
    store(client, run_id, Write(1, {}, events, Suspended(None, {name: "1"})))
