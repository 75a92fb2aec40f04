"""LangGraph's published conformance suite, over the fenced checkpointer of a run on a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from langgraph.checkpoint.conformance.capabilities import Capability

from penstock.runtime import Client
from penstock.runtime.settings import Settings
from tests.langgraph.hosting import conforming
from tests.langgraph.keys import ENCRYPTION_KEYS

ROOT = Path(__file__).parents[3]

STORES_AND_READS = {
    Capability.PUT,
    Capability.PUT_WRITES,
    Capability.GET_TUPLE,
    Capability.LIST,
}

REFUSED = {
    Capability.DELETE_THREAD: "the thread of a run at work is not deleted under it",
    Capability.DELETE_FOR_RUNS: "nor are its checkpoints: client.thread(id).delete() does it later",
    Capability.COPY_THREAD: "threads are copied as a whole, by PenstockSaver or a client",
    Capability.PRUNE: "PenstockSaver prunes a thread that no run is at work on",
}
"""What the checkpointer of a run leaves out on purpose, and why."""


@contextmanager
def working(url: str, keys: str) -> Generator[None]:
    env = {**os.environ, "PENSTOCK_REDIS_URL": url, "PENSTOCK_ENCRYPTION_KEYS": keys}
    command = [sys.executable, "-m", "penstock.worker.cli", "worker", conforming.__name__]
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.filterwarnings("ignore:no live worker has announced")
@pytest.mark.parametrize("keys", ["", ENCRYPTION_KEYS], ids=["plain", "encrypted"])
def test_all_capabilities_pass_but_those_that_a_run_leaves_out(redis_url: str, keys: str) -> None:
    settings = Settings(redis=redis_url, encryption_keys=keys)
    with working(redis_url, keys), Client(redis_url, settings=settings) as client:
        runs = [client.enqueue(name, {}) for name in ("other_threads", "own_thread", "sync_nodes")]
        reports = [run.result(timeout=60) for run in runs]

    for report in reports:
        assert {name: each["failures"] for name, each in report.items() if each["failures"]} == {}
        assert {name for name, each in report.items() if each["is_there"]} == STORES_AND_READS
    assert STORES_AND_READS | REFUSED.keys() == set(Capability)
