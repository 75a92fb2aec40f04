"""Runs per second of one worker process, beside no-op jobs of RQ, Dramatiq and Huey."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from rq import Queue

from benchmarks.flows import nothing
from benchmarks.harness import AT_LEAST, Bar, Bench, Row, Sample, rounds
from benchmarks.peers import PEERS, is_installed, jobs_per_second
from benchmarks.processes import connected, penstock_worker, rq_worker, wait_until
from penstock.runtime import Client

WHY = (
    "a run takes 0.7 to 0.85 ms of the worker's processor time, 0.5 to 0.6 ms of Redis's and "
    "0.3 ms of the client's on an Intel Xeon of 2.1 GHz, two thirds of that on an AMD EPYC; "
    "three processes of ours compete for two cores where RQ keeps two busy. The ratio is not the "
    "same from run to run of this report: 3.7 x to 5.9 x on the Xeon, 6.1 x and 7.7 x on the "
    "EPYC. Done: one write where a run is claimed and one where it ends, fewer looks for "
    "what cannot be there, no second look at a queue that is empty, connections held for a second."
)


BESIDE_OTHERS = (
    "a run is claimed under a lease, recorded with its step, and streamed; a job of Dramatiq is "
    "acknowledged, and one of Huey is popped and no more."
)


def runs_per_second(bench: Bench) -> list[Row]:
    parts: dict[str, Callable[[], float]] = {
        "rq": lambda: _rq(bench),
        "sync": lambda: _penstock(bench, "noop"),
        "async": lambda: _penstock(bench, "anoop"),
    }
    for package in filter(is_installed, PEERS):
        parts[package] = partial(jobs_per_second, package, bench)
    samples = rounds(bench.scale.long_rounds, parts)
    beside = [_row(samples["sync"], package, samples.get(package)) for package in PEERS]
    limit = samples.pop("rq")
    return beside + [
        Row(
            f"no-op runs with one step, one worker process, {kind} entrypoint",
            "runs/s",
            sample,
            limit,
            [Bar(AT_LEAST, 4, "ratio")],
            "RQ's SimpleWorker",
            WHY,
        )
        for kind in ("sync", "async")
        for sample in [samples[kind]]
    ]


def _row(ours: Sample, package: str, theirs: Sample | None) -> Row:
    figure, name = "no-op runs with one step, one worker process", PEERS[package]
    if theirs is None:
        return Row(f"{figure} ({package} is not installed: extra `bench`)", "runs/s", ours)
    bars = [Bar(AT_LEAST, 2.5 if package == "dramatiq" else 1.0, "ratio")]
    return Row(f"{figure}, beside {name}", "runs/s", ours, theirs, bars, name, BESIDE_OTHERS)


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
        wait_until(lambda: not counting.zcard("penstock:open:all"))
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
