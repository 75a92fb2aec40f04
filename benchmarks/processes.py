"""Other processes: workers as a user starts them, and those that report when they saw what."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import redis

__all__ = ["Client", "connected", "listener", "penstock_worker", "rq_worker", "wait_until"]

ROOT = Path(__file__).parent.parent
PATIENCE = 120.0

Client = redis.Redis


def connected(url: str) -> Client:
    """A client as redis-py makes it by default: what the limits are measured with."""
    return redis.Redis.from_url(url)


def wait_until(true: Callable[[], object], every: float = 0.005) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError("a benchmark waited in vain")
        time.sleep(every)


@contextmanager
def penstock_worker(url: str, *, concurrency: int = 50) -> Generator[subprocess.Popen[bytes]]:
    """An idle worker process with the workflows that are measured."""
    code = f"""
from penstock.runtime.settings import load_settings
from penstock.worker.options import WorkerOptions
from penstock.worker.process import run_worker
run_worker(WorkerOptions(app=("benchmarks.flows",), queues=("default",), concurrency={concurrency},
    settings=load_settings({{"redis": {url!r}}})))
"""
    with _process([sys.executable, "-c", code], url) as process:
        yield process


@contextmanager
def rq_worker(url: str) -> Generator[subprocess.Popen[bytes]]:
    """RQ's SimpleWorker, idle."""
    command = ["-m", "rq.cli", "worker", "--quiet", "--worker-class", "rq.SimpleWorker"]
    with _process([sys.executable, *command, "--url", url], url) as process:
        yield process


@contextmanager
def _process(command: list[str], url: str) -> Generator[subprocess.Popen[bytes]]:
    with connected(url) as client:
        client.flushall()
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        try:
            wait_until(lambda: process.poll() is not None or client.scard("rq:workers"))
            if process.poll() is not None:
                raise RuntimeError(f"{command[1]} ended with status {process.returncode}")
            time.sleep(0.3)  # until it blocks on its queues
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextmanager
def listener(target: Callable[..., None], *args: object) -> Generator[Connection[Any, Any]]:
    """A process that runs `target(pipe, *args)`; gives the other end of the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()
