"""Runs that wait for new code while old workers are busy, and the first worker that has it."""

from __future__ import annotations

import warnings
from typing import Any, Final

from benchmarks.harness import AT_LEAST, AT_MOST, Bar, Bench, Row, Sample
from benchmarks.processes import connected, penstock_worker, started, wait_until
from penstock.runtime import Client
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.requests import UnannouncedEntrypointWarning

NEW: Final = "benchmarks.new_flows"

WHY: Final = (
    "a worker that is blocked on its queues is told by the recovery of any worker, each second, "
    "that something waits for what it has."
)


def deploy(bench: Bench) -> list[Row]:
    """Have runs wait for code that no worker has, then start one, while the old one works on."""
    waits: list[float] = []
    for _ in range(bench.scale.long_rounds):
        waits.append(_slowest(bench))
    count = bench.scale.parked
    return [
        Row(
            f"start of {count} runs that wait for new code, after the first worker that has it",
            "s",
            Sample(tuple(waits)),
            bars=[Bar(AT_MOST, 1.5)],
            note=WHY,
        ),
        Row(
            "of these, completed in their first attempt",
            "%",
            Sample((100.0,)),  # else it has raised
            bars=[Bar(AT_LEAST, 100)],
        ),
    ]


def _slowest(bench: Bench) -> float:
    """Return the seconds until the last of the runs has started, by Redis's clock."""
    with (
        penstock_worker(bench.url) as old,
        Client(bench.url) as client,
        connected(bench.url) as redis,
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnannouncedEntrypointWarning)
            runs = [client.enqueue("added", number) for number in range(bench.scale.parked)]
        parked = f"{Keys().prefix}:parked:default:e:added"
        wait_until(lambda: redis.zcard(parked) == len(runs), every=0.05)
        command = ["-m", "penstock.worker.cli", "worker", NEW, "--redis", bench.url]
        with started([*command, "--concurrency", "50"], lambda: _announced(redis)):
            began = _now(redis)
            busy = [client.enqueue("noop", number) for number in range(len(runs))]
            wait_until(lambda: not redis.zcard("penstock:open:all"), every=0.05)
            assert old.poll() is None
            infos = [run.info() for run in runs]
        failed = [each for each in infos if each.status != "completed" or each.attempt != 1]
        assert not failed, failed[:3]
        assert all(run.status() == "completed" for run in busy)
        return max(each.started_at.timestamp() for each in infos if each.started_at) - began


def _announced(redis: Any) -> bool:
    """Whether a worker has announced the new code."""
    apps = redis.scan_iter(match="penstock:app:*", count=1000)
    return any(redis.sismember(name, "e:added") for name in apps)


def _now(redis: Any) -> float:
    seconds, microseconds = redis.time()
    return int(seconds) + int(microseconds) / 1e6
