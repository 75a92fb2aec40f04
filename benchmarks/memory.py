"""What a worker takes while it waits, and what a recorded step takes in Redis."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import AT_MOST, Bar, Bench, Row, Sample
from benchmarks.processes import connected, penstock_worker, wait_until
from penstock.runtime import Client

PAGE = os.sysconf("SC_PAGE_SIZE")


def idle_worker(bench: Bench) -> list[Row]:
    sizes: list[float] = []
    for _ in range(bench.scale.long_rounds):
        with penstock_worker(bench.url) as process:
            time.sleep(bench.scale.settling)
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
            sizes.append(int(pages) * PAGE / 1e6)
    return [
        Row("idle worker, resident memory", "MB", Sample(tuple(sizes)), bars=[Bar(AT_MOST, 70)])
    ]


def bytes_per_step(bench: Bench) -> list[Row]:
    """All keys of a run with steps, less those of one without."""
    counts = (bench.scale.steps, 10 * bench.scale.steps)
    with (
        penstock_worker(bench.url),
        Client(bench.url) as client,
        connected(bench.url) as counting,
    ):
        empty = _bytes(client, counting, 0)
        sizes = [(_bytes(client, counting, count) - empty) / count for count in counts]
    return [
        Row(
            f"Redis memory of a no-op step, run of {count:,}",
            "B",
            Sample((size,)),
            bars=[Bar(AT_MOST, 400)],
        )
        for count, size in zip(counts, sizes, strict=True)
    ]


def _bytes(client: Client, counting: Any, steps: int) -> int:
    run = client.enqueue("steps", steps)
    wait_until(lambda: counting.zscore("penstock:open:all", run.run_id) is None)
    keys = counting.scan_iter(match=f"*{run.run_id}*", count=1000)
    return sum(int(counting.memory_usage(key, samples=0)) for key in keys)
