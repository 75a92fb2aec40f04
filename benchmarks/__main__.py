"""`python -m benchmarks [FIGURE... | scale [MOST]]`: measure; all figures make RESULTS.md."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from benchmarks.figures import FIGURES
from benchmarks.harness import Bench, Row
from benchmarks.machine import described
from benchmarks.report import line, write
from benchmarks.scale import Sizes, measure, written
from penstock.worker.embedded import EmbeddedServer


def main(names: Sequence[str]) -> int:
    """Measure the figures of these names, or all of them; or how costs grow."""
    if names and names[0] == "scale":
        sizes = Sizes().up_to(int(names[1])) if len(names) > 1 else Sizes()
        with EmbeddedServer() as server:
            machine = described(server)
            print(f"written to {written(measure(server.url, sizes), machine)}")
        return 0
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"there is no figure {unknown[0]!r}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    with EmbeddedServer() as server:
        machine = described(server)
        for name in names or FIGURES:
            began = time.monotonic()
            for row in FIGURES[name](Bench(server.url)):
                rows.append(row)
                print(line(row), flush=True)
            print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not names:
        print(f"\nwritten to {write(rows, machine)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
