"""What Penstock costs those who use none of what operators got, beside the Penstock before it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds
from benchmarks.observing import TICKS
from benchmarks.processes import ROOT, connected, started, wait_until

BEFORE: Final = "d41ab1d394b63ce2b8b96f82a3c68f699ceea257"
"""The commit before search, versions, the feed, webhooks, metrics, traces and health."""

ROOMS: Final = ("gateway", "langgraph", "publisher", "runtime", "worker")

ENQUEUE: Final = """
import sys, time
from penstock.runtime import Client
with Client(sys.argv[1]) as client:
    before = time.process_time()
    for number in range(int(sys.argv[2])):
        client.enqueue("noop", number)
    print(time.process_time() - before)
"""

BESIDE: Final = "the Penstock before them"
WHY: Final = (
    "all that came to Penstock since is in it, not only what operators got: names of code that are "
    "announced and compared, lists, legs, presence of workers."
)


def unused(bench: Bench) -> list[Row]:
    """Compare an idle worker, and no-op runs; nothing where the commit before is not there."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder)
        if not _taken_out(before):
            print(f"no figures beside {BEFORE[:8]}: it is not in this copy of the repository")
            return []
        trees = {"now": ROOT, "before": before}
        idle = rounds(1, {name: partial(_idle, bench, tree) for name, tree in trees.items()})
        count = bench.scale.least_of
        runs = rounds(
            count,
            {name: partial(_milliseconds, bench, tree) for name, tree in trees.items()},
        )
    return [
        Row(
            "Redis commands of an idle worker in a second",
            "",
            idle["now"],
            idle["before"],
            [Bar(AT_MOST, 1.1, "ratio")],
            BESIDE,
            WHY,
        ),
        Row(
            f"processor time per no-op run with one step, no feature in use, least of {count}",
            "ms",
            runs["now"].least(),
            runs["before"].least(),
            [Bar(AT_MOST, 1.05, "ratio")],
            BESIDE,
            WHY,
        ),
    ]


def _taken_out(folder: Path) -> bool:
    """Put the files of the commit before into a folder; tell whether there is such a commit."""
    try:
        found = subprocess.run(
            ["git", "archive", BEFORE, "benchmarks", *ROOMS[1:]],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["tar", "-x"], cwd=folder, input=found.stdout, check=True)
    return True


def _environment(tree: Path) -> Mapping[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(str(tree / room) for room in ROOMS)}


@contextmanager
def _worker(bench: Bench, tree: Path) -> Generator[tuple[subprocess.Popen[bytes], Any]]:
    command = ["-m", "penstock.worker.cli", "worker", "benchmarks.flows", "--redis", bench.url]
    with connected(bench.url) as redis:
        redis.flushall()
        with started(
            [*command, "--concurrency", "50"],
            lambda: redis.scard("rq:workers"),
            cwd=tree,
            env=_environment(tree),
        ) as process:
            yield process, redis


def _idle(bench: Bench, tree: Path) -> float:
    """Return the commands of an idle worker in a second, those inside of scripts counted too."""
    with _worker(bench, tree) as (_, redis):
        time.sleep(bench.scale.settling)
        before, began = _calls(redis), time.monotonic()
        time.sleep(bench.scale.idle)
        return (_calls(redis) - before) / (time.monotonic() - began)


def _milliseconds(bench: Bench, tree: Path) -> float:
    """Return the processor time of worker, Redis and client for a run."""
    count = bench.scale.runs
    with _worker(bench, tree) as (worker, redis):
        time.sleep(0.3)  # until it blocks on its queues
        before = _used(worker, redis)
        said = subprocess.run(
            [sys.executable, "-c", ENQUEUE, bench.url, str(count)],
            cwd=tree,
            env=_environment(tree),
            capture_output=True,
            check=True,
        )
        wait_until(lambda: _is_over(redis))
        return (float(said.stdout) + _used(worker, redis) - before) / count * 1e3


def _is_over(redis: Any) -> bool:
    return not redis.exists("rq:queue:default", "penstock:leases", "penstock:ready")


def _used(worker: subprocess.Popen[bytes], redis: Any) -> float:
    stat = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8")
    fields = stat.rpartition(")")[2].split()
    cpu = redis.info("cpu")
    ours = (int(fields[11]) + int(fields[12])) / TICKS
    return ours + float(cpu["used_cpu_user"] + cpu["used_cpu_sys"])


def _calls(redis: Any) -> int:
    return sum(each["calls"] for each in redis.info("commandstats").values())
