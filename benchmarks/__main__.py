"""`python -m benchmarks [FIGURE...]`: measure, print, and write RESULTS.md if all were measured."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.events import custom_events
from benchmarks.harness import Bench, Row, Scale
from benchmarks.latency import first_event
from benchmarks.memory import bytes_per_step, idle_worker
from benchmarks.replay import replay
from benchmarks.report import line
from benchmarks.steps import durable_steps, steps_in_process
from benchmarks.throughput import runs_per_second
from benchmarks.waiting import sleeping_runs
from penstock.worker.embedded import EmbeddedServer

FIGURES: dict[str, Callable[[Bench], list[Row]]] = {
    "steps": durable_steps,
    "process": steps_in_process,
    "runs": runs_per_second,
    "latency": first_event,
    "events": custom_events,
    "waiting": sleeping_runs,
    "replay": replay,
    "rss": idle_worker,
    "bytes": bytes_per_step,
}


def main(arguments: Sequence[str]) -> int:
    chosen = arguments or list(FIGURES)
    rows: list[Row] = []
    with EmbeddedServer() as server:
        bench = Bench(server.url, Scale())
        for name in chosen:
            began = time.monotonic()
            for row in FIGURES[name](bench):
                rows.append(row)
                print(line(row), flush=True)
            print(f"  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
