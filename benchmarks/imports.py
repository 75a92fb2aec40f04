"""How long the import takes of what an app needs, beside that of the package redis."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.harness import AT_MOST, Bar, Bench, Row, rounds

WHY = (
    "what is left beside redis-py is pydantic and what its models import, which reading values of "
    "the stored form needs."
)


def import_time(bench: Bench) -> list[Row]:
    parts: dict[str, Callable[[], float]] = {
        "client": partial(_seconds, "import penstock.runtime; penstock.runtime.Client"),
        "redis": partial(_seconds, "import redis"),
        "python": partial(_seconds, "pass"),
    }
    samples = rounds(bench.scale.long_rounds, parts)
    bare = samples["python"]
    ours, theirs = samples["client"].less(bare), samples["redis"].less(bare)
    bars = [Bar(AT_MOST, 1.5, "ratio")]
    figure = "import of penstock.runtime and its Client, without the start of Python"
    return [Row(figure, "ms", ours, theirs, bars, "import redis", WHY)]


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3
