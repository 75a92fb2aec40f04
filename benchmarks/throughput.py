"""Runs per second of one worker process, beside no-op jobs of RQ's SimpleWorker."""

from __future__ import annotations

import time
from collections.abc import Callable

from rq import Queue

from benchmarks.flows import nothing
from benchmarks.harness import AT_LEAST, Bar, Bench, Row, rounds
from benchmarks.processes import connected, penstock_worker, rq_worker, wait_until
from penstock.runtime import Client

WHY = (
    "a run takes 0.65 ms of the worker's processor time, 0.35 ms of Redis's and 0.2 ms of the "
    "client's, more when the machine is busy. The ratio is not the same from run to run of this "
    "report: (sync, async) 4.8 x and 5.6 x at a load of 1.3, 5.4 x and 5.4 x at 2.7, 2.8 x and "
    "3.5 x at 4, 5.5 x and 4.1 x at 8, 2.2 x and 2.8 x at 15, with changes to the code between. "
    "That three processes of ours compete for two cores where RQ keeps two busy is the likely "
    "reason, not a proven one: an early version of the worker, run by turns with a late one under "
    "the same load, was no faster. Nothing was tried yet."
)


def runs_per_second(bench: Bench) -> list[Row]:
    parts: dict[str, Callable[[], float]] = {
        "rq": lambda: _rq(bench),
        "sync": lambda: _penstock(bench, "noop"),
        "async": lambda: _penstock(bench, "anoop"),
    }
    samples = rounds(bench.scale.long_rounds, parts)
    limit = samples.pop("rq")
    return [
        Row(
            f"no-op runs with one step, one worker process, {kind} entrypoint",
            "runs/s",
            sample,
            limit,
            [Bar(AT_LEAST, 4, "ratio")],
            "RQ's SimpleWorker",
            WHY,
        )
        for kind, sample in samples.items()
    ]


def _penstock(bench: Bench, name: str) -> float:
    count = bench.scale.runs
    with (
        penstock_worker(bench.url),
        Client(bench.url) as client,
        connected(bench.url) as counting,
    ):
        began = time.perf_counter()
        for number in range(count):
            client.enqueue(name, number)
        wait_until(lambda: counting.zcard("penstock:runs:completed") == count)
        return count / (time.perf_counter() - began)


def _rq(bench: Bench) -> float:
    count = bench.scale.runs
    with (
        rq_worker(bench.url),
        connected(bench.url) as client,
        connected(bench.url) as counting,
    ):
        queue = Queue(connection=client)
        began = time.perf_counter()
        for number in range(count):
            queue.enqueue(nothing, number)
        wait_until(lambda: counting.zcard("rq:finished:default") == count)
        return count / (time.perf_counter() - began)
