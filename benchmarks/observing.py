"""What metrics, traces and the feed add to the time that a run takes.

It is processor time, of the worker, of Redis and of the client together: on a machine that does
other things too, it tells the difference of some microseconds, which the time that passes does not.
Even so its rounds differ by a third where these compete for caches; so the least of many counts.
"""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from typing import Any

import redis

from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds
from benchmarks.processes import connected, penstock_worker, wait_until
from penstock.runtime import Client
from penstock.runtime.settings import Settings

__all__ = ["observed_runs"]

TICKS = os.sysconf("SC_CLK_TCK")

METRICS = ("--health", "127.0.0.1:0")


def observed_runs(bench: Bench) -> list[Row]:
    """Compare workers that execute the same no-op runs."""
    count = bench.scale.least_of
    samples = rounds(
        count,
        {
            "plain": partial(_milliseconds, bench),
            "metrics": partial(_milliseconds, bench, METRICS),
            "traces": partial(_milliseconds, bench, traces=True),
            "feed": partial(_milliseconds, bench, feed=100_000),
        },
    )
    return [
        Row(
            f"processor time per no-op run with one step, with {what}, least of {count}",
            "ms",
            samples[kind].least(),
            samples["plain"].least(),
            [Bar(AT_MOST, most, "ratio")],
            "without",
        )
        for kind, what, most in (
            ("metrics", "metrics", 1.03),
            ("traces", "traces to an exporter that drops them", 1.2),
            ("feed", "the feed", 1.05),
        )
    ]


def _milliseconds(
    bench: Bench, options: tuple[str, ...] = (), *, traces: bool = False, feed: int = 0
) -> float:
    count = bench.scale.runs
    os.environ["PENSTOCK_TRACES"] = "1" if traces else ""
    app = "benchmarks.traced_flows" if traces else "benchmarks.flows"
    with (
        penstock_worker(bench.url, *options, app=app) as worker,
        Client(bench.url, settings=Settings(redis=bench.url, feed=feed)) as client,
        connected(bench.url) as counting,
    ):
        del os.environ["PENSTOCK_TRACES"]
        before = _used(worker, counting)
        for number in range(count):
            client.enqueue("noop", number)
        wait_until(lambda: not counting.zcard("penstock:open:all"))
        return (_used(worker, counting) - before) / count * 1000


def _used(worker: subprocess.Popen[bytes], server: redis.Redis) -> float:
    """Return the seconds of processor time that a worker, Redis and this process have used."""
    with open(f"/proc/{worker.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    cpu: Any = server.info("cpu")
    ours = (int(fields[11]) + int(fields[12])) / TICKS + time.process_time()
    return ours + float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
