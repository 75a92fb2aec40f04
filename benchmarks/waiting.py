"""Many runs that wait at once in one process."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.harness import AT_LEAST, AT_MOST, Bar, Bench, Row, Sample
from benchmarks.processes import connected, penstock_worker, wait_until
from penstock.runtime import Client


def sleeping_runs(bench: Bench) -> list[Row]:
    """By the clock of Redis, from the claim of a run to its end; the slowest one counts."""
    slowest: list[float] = []
    most: list[float] = []
    for _ in range(bench.scale.long_rounds):
        worst, peak = _round(bench)
        slowest.append(worst)
        most.append(peak)
    count, nap = bench.scale.sleepers, bench.scale.nap
    return [
        Row(
            f"{count:,} runs in asyncio.sleep({nap:g}), time of the slowest / its sleep",
            "x",
            Sample(tuple(slowest)),
            bars=[Bar(AT_MOST, 1.1)],
        ),
        Row("such runs at once in one process", "runs", Sample(tuple(most)), bars=[
            Bar(AT_LEAST, count)
        ]),
    ]  # fmt: skip


def _round(bench: Bench) -> tuple[float, float]:
    count, nap = bench.scale.sleepers, bench.scale.nap
    with (
        penstock_worker(bench.url, concurrency=count),
        Client(bench.url) as client,
        connected(bench.url) as counting,
    ):
        run_ids = [client.enqueue("nap", nap).run_id for _ in range(count)]
        peak = 0

        def over() -> bool:
            nonlocal peak
            leases: Any = counting.zcard("penstock:leases")
            peak = max(peak, int(leases))
            return not counting.zcard("penstock:open:all")

        wait_until(over, 0.02)
        worst = 0.0
        for run_id in run_ids:
            times: Any = counting.hmget(f"penstock:run:{run_id}", "started", "finished")
            worst = max(worst, (int(times[1]) - int(times[0])) / 1000)
        time.sleep(0.1)
    return worst / nap, peak
