"""From the death or the end of a worker to the next recorded step of its runs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from rq import Queue

from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample, percentile
from benchmarks.processes import ROOT, connected, wait_until
from penstock.publisher.subscribe import subscribe
from penstock.runtime import Client
from penstock.runtime.settings import Settings

PACES: Final = 100_000
"""More steps than a measured run ever takes."""

RQ_INTERVALS: Final = ("--job-monitoring-interval", "1", "--maintenance-interval", "1")
RQ_NAME: Final = "RQ to see it dead, both intervals at 1 s"
WHY: Final = (
    "a look each second finds a worker whose connection is closed, a second one, half a second "
    "later, ends its leases"
)


def recovery(bench: Bench) -> list[Row]:
    """What a death costs, of a host, of a child, of a process with many runs; and a drain."""
    hosts, children, drains = _hosts(bench), _children(bench), _drains(bench)
    fleet = Sample((_fleet(bench),))
    rq = Sample((_rq(bench),)) if bench.scale.rq else None
    return [
        _row("all processes of a host killed, p50", hosts, 0.5, 1.5, rq),
        _row("all processes of a host killed, p99", hosts, 0.99, 2.5, rq),
        _row("one process of a supervisor killed, p50", children, 0.5, 1.5, rq),
        _row("one process of a supervisor killed, p99", children, 0.99, 1.5, rq),
        _row("hand-over at SIGTERM, p50", drains, 0.5, 2),
        _row("hand-over at SIGTERM, p99", drains, 0.99, 2),
        Row(
            f"{bench.scale.fleet:,} runs of a killed process, all at work again",
            "s",
            fleet,
            bars=[Bar(AT_MOST, 3)],
            note=WHY,
        ),
    ]


def _row(
    what: str, seconds: Sequence[float], share: float, most: float, rq: Sample | None = None
) -> Row:
    measured = Sample((percentile(seconds, share),))
    figure = f"{what} of {len(seconds)}"
    return Row(figure, "s", measured, rq, [Bar(AT_MOST, most)], RQ_NAME if rq else "", WHY)


# -- what dies ----------------------------------------------------------------------------------


def _hosts(bench: Bench) -> list[float]:
    """Kill the only worker of a queue; another host's is there to go on."""
    found: list[float] = []
    while len(found) < bench.scale.kills:
        lanes = [f"lane-{number}" for number in range(bench.scale.lanes)]
        with _emptied(bench.url) as client, ExitStack() as stack:
            victims = [stack.enter_context(_worker(bench.url, "-q", lane)) for lane in lanes]
            watches = [Watch(client, lane) for lane in lanes]
            every = [part for lane in lanes for part in ("-q", lane)]
            stack.enter_context(_worker(bench.url, *every))
            for victim, watch in zip(victims, watches, strict=True):
                time.sleep(random.uniform(0.0, 2.0))  # anywhere between two renewals
                os.killpg(victim.pid, signal.SIGKILL)
                watch.struck = time.monotonic()
            found += [watch.seconds() for watch in watches]
            _cancel(client)
    return found


def _children(bench: Bench) -> list[float]:
    """Kill that process of a supervisor which has the run."""
    found: list[float] = []
    for _ in range(bench.scale.kills):
        with _emptied(bench.url) as client, _worker(bench.url, "--processes", "2", workers=2):
            watch = Watch(client, "default")
            with connected(bench.url) as raw:
                name = client.get(watch.run_id).info().worker
                pid: Any = raw.hget(f"rq:worker:{name}", "pid")
            os.kill(int(pid), signal.SIGKILL)
            watch.struck = time.monotonic()
            found.append(watch.seconds())
            _cancel(client)
    return found


def _drains(bench: Bench) -> list[float]:
    """Ask a worker to end while it has a run, another one being there."""
    found: list[float] = []
    for _ in range(bench.scale.kills):
        with _emptied(bench.url) as client, _worker(bench.url) as first:
            watch = Watch(client, "default")
            with _worker(bench.url):
                first.terminate()
                watch.struck = time.monotonic()
                found.append(watch.seconds())
                _cancel(client)
    return found


def _fleet(bench: Bench) -> float:
    """Kill a process with many runs; returns the seconds until others have leased all of them."""
    count = bench.scale.fleet
    wide = ("--concurrency", str(count))
    with _emptied(bench.url) as client, connected(bench.url) as raw, ExitStack() as stack:
        victim = stack.enter_context(_worker(bench.url, *wide))
        for _ in range(count):
            client.enqueue("nap", 600.0)
        wait_until(lambda: raw.zcard("penstock:leases") == count)
        before: Any = raw.smembers("rq:workers")
        for _ in range(2):
            stack.enter_context(_worker(bench.url, *wide))
        workers: Any = raw.smembers("rq:workers")
        others = [key.decode() for key in workers - before]
        os.killpg(victim.pid, signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: sum(raw.scard(f"{key}:executions") for key in others) == count)
        return time.monotonic() - began


def _rq(bench: Bench) -> float:
    """Kill an RQ worker and its work horse; returns the seconds until another one has noticed.

    Its intervals are cut to a second: by default RQ looks after each ten minutes, and its lease is
    90 s. The 60 of them that it adds to the interval cannot be set.
    """
    arguments = ["-m", "rq.cli", "worker", "--quiet", *RQ_INTERVALS, "--worker-ttl", "17"]
    with _emptied(bench.url), connected(bench.url) as raw, ExitStack() as stack:
        told = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "horse"
        victim = stack.enter_context(_process(bench.url, [*arguments, "--url", bench.url]))
        job = Queue(connection=raw).enqueue("benchmarks.flows.doze", str(told), 600)
        wait_until(lambda: told.exists() and told.read_text())
        stack.enter_context(_process(bench.url, [*arguments, "--url", bench.url]))
        os.killpg(victim.pid, signal.SIGKILL)
        os.kill(int(told.read_text()), signal.SIGKILL)
        began = time.monotonic()
        wait_until(lambda: job.get_status(refresh=True) != "started", 0.1)
        return time.monotonic() - began


# -- what sees it -------------------------------------------------------------------------------


class Watch:
    """Enqueues a run, and follows it until a second attempt has recorded a step."""

    def __init__(self, client: Client, queue: str) -> None:
        run = client.enqueue("walk", PACES, queue=queue)
        self.run_id = run.run_id
        self.struck = 0.0
        self._seen = 0.0
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=[client], daemon=True)
        self._thread.start()
        if not self._begun.wait(60):
            raise TimeoutError("a run was never begun")

    def seconds(self) -> float:
        """Wait for that step; returns how long after the strike it was seen."""
        self._thread.join(60)
        if self._thread.is_alive():
            raise TimeoutError("nobody went on with a run")
        return self._seen - self.struck

    def _follow(self, client: Client) -> None:
        started = 0
        with subscribe(self.run_id, connection=client.connection) as events:
            for event in events:
                started += event.mode == "run.started"
                if event.mode == "step.finished":
                    self._begun.set()
                    if started > 1:
                        self._seen = time.monotonic()
                        return


@contextmanager
def _emptied(url: str) -> Generator[Client]:
    with connected(url) as raw:
        raw.flushall()
    with Client(url, settings=Settings(redis=url)) as client:
        yield client


def _cancel(client: Client) -> None:
    for run in client.runs("running", 1000):
        client.get(run.run_id).cancel()


@contextmanager
def _worker(url: str, *options: str, workers: int = 1) -> Generator[subprocess.Popen[bytes]]:
    """A worker with default settings, or a supervisor, in a process group of its own."""
    command = ["-m", "penstock.worker.cli", "worker", "benchmarks.flows", "--redis", url, *options]
    with _process(url, command, workers) as process, connected(url) as raw:
        wait_until(lambda: raw.zscore("penstock:entrypoints", "walk"))
        yield process


@contextmanager
def _process(
    url: str, arguments: Sequence[str], workers: int = 1
) -> Generator[subprocess.Popen[bytes]]:
    with connected(url) as raw:
        before: Any = raw.scard("rq:workers")
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(lambda: process.poll() is not None or raw.scard("rq:workers") > before)
            wait_until(lambda: raw.scard("rq:workers") >= before + workers)
            yield process
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
