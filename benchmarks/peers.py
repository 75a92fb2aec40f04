"""Jobs per second of other task queues: one process of theirs, in the same rounds as ours."""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.harness import Bench
from benchmarks.processes import connected, started, wait_until

__all__ = ["PEERS", "is_installed", "jobs_per_second"]

URL = "BENCHMARK_REDIS"

PEERS: Mapping[str, str] = {"dramatiq": "Dramatiq, 8 threads", "huey": "Huey, 1 thread"}
"""Packages of the extra `bench`, and what their rows are called."""

_COMMANDS: Mapping[str, list[str]] = {
    "dramatiq": [
        *("-m", "dramatiq", "benchmarks.dramatiq_jobs"),
        *("--processes", "1", "--threads", "8"),
    ],
    "huey": [
        *("-m", "huey.bin.huey_consumer", "benchmarks.huey_jobs.huey"),
        *("--workers", "1", "--worker-type", "thread", "--quiet"),
    ],
}


def is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # what it is in
        return False


def jobs_per_second(package: str, bench: Bench) -> float:
    """Count from the first job that is sent to the last one that is done."""
    count = bench.scale.runs
    with connected(bench.url) as client:
        client.flushall()
        os.environ[URL] = bench.url
        send = _sender(package)
        with started(_COMMANDS[package]) as worker:
            _perform(send, client, 5)  # until it has begun to listen
            began = time.perf_counter()
            _perform(send, client, count)
            took = time.perf_counter() - began
            assert worker.poll() is None, f"{package} has ended"
    return count / took


def _sender(package: str) -> Callable[[int], Any]:
    """The task, bound to this Redis: a module of before is bound to another one."""
    module: Any = importlib.reload(importlib.import_module(f"benchmarks.{package}_jobs"))
    send: Callable[[int], Any] = module.nothing.send if package == "dramatiq" else module.nothing
    return send


def _perform(send: Callable[[int], Any], client: Any, count: int) -> None:
    for number in range(count):
        send(number)
    wait_until(lambda: not _waiting(client))


def _waiting(client: Any) -> int:
    """How many jobs are not done: those that wait, and what Dramatiq has not acknowledged."""
    waiting: int = client.llen("huey.redis.bench") + client.hlen("dramatiq:default.msgs")
    return waiting
