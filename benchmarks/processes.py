"""Other processes: workers as a user starts them, and those that report when they saw what."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import redis

__all__ = [
    "Client",
    "connected",
    "listener",
    "penstock_worker",
    "rq_worker",
    "started",
    "wait_until",
]

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
def penstock_worker(
    url: str, *options: str, concurrency: int = 50, app: str = "benchmarks.flows"
) -> Generator[subprocess.Popen[bytes]]:
    """An idle worker process with the workflows that are measured."""
    command = ["-m", "penstock.worker.cli", "worker", app, "--redis", url, *options]
    with _process([*command, "--concurrency", str(concurrency)], url) as process:
        yield process


@contextmanager
def rq_worker(url: str) -> Generator[subprocess.Popen[bytes]]:
    """RQ's SimpleWorker, idle; it does not log, which Penstock's worker does."""
    command = ["-m", "rq.cli", "worker", "--quiet", "--worker-class", "rq.SimpleWorker"]
    with _process([*command, "--url", url], url) as process:
        yield process


@contextmanager
def _process(arguments: list[str], url: str) -> Generator[subprocess.Popen[bytes]]:
    with connected(url) as client:
        client.flushall()
        with started(arguments, lambda: client.scard("rq:workers")) as process:
            time.sleep(0.3)  # until it blocks on its queues
            yield process


@contextmanager
def started(
    arguments: Sequence[str],
    is_ready: Callable[[], object] = lambda: True,
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
) -> Generator[subprocess.Popen[bytes]]:
    """A Python process, from when it is ready; it has nothing left to do when it is killed."""
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, *arguments]
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=log, stderr=log)
        try:
            wait_until(lambda: process.poll() is not None or is_ready())
            if process.poll() is not None:
                log.seek(0)
                raise RuntimeError(f"{arguments[1]} did not start: {log.read().decode()}")
            yield process
        finally:
            process.kill()
            process.wait()


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
