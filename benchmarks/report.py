"""Rows as Markdown, and RESULTS.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Row, Sample

__all__ = ["line", "write"]

RESULTS = Path(__file__).parent / "RESULTS.md"

HEAD = """# What Penstock costs

Written by `make bench`. A figure is the median of several rounds with the least and the most in
brackets; beside it stands its limit, which is what bare redis-py (or RQ itself) needs for the same
on the same Redis, **measured in the same run, round by round**. The ratio is the median of the
rounds' own ratios. Where other work on the machine comes and goes, figures move by a factor of
three or more: compare ratios rather than figures, and figures of one run only.
"""

READING = """## How to read it

- **Steps** do nothing: what is measured is what Penstock adds. 100 of them in one run, the run's
  own beginning and end included (four script calls). One EVALSHA does RPUSH, PUBLISH and HSET, one
  after the other from sync code with redis-py's defaults, right before and right after each run.
- **The ratio of a step** compares Python with a round trip: about half of a `sync` step is Python,
  and most of an `async` one. One EVALSHA takes 40 to 65 µs or 80 to 130 here, by the minute and by
  what else runs; a step without a checkpointer takes 20 µs on an AMD EPYC, and 35 to 60 on an Intel
  Xeon of 2.1 GHz. So ratios are the lowest where round trips are slow and Python is fast, and may
  be twice as high on another machine. Compare two versions by turns, in one hour.
- **Runs per second** counts from the first enqueue to the last terminal status, 2,000 of them, the
  worker running all the while. RQ's worker is told not to log; Penstock's logs a line a run.
- **First event** is the first that the worker sends, not `run.queued`, and the run goes on after
  it, so that the end of the run does not hurry it. Its subscriber is a process of its own, as is
  the one of the bare hop (PUBLISH to a message from `listen()`).
- **Custom events** are counted from the first call of the writer to the last event seen; the bare
  side publishes the text of one such event, a hundred in a pipeline, and does not decode them.
- **Sleeping runs** are measured by Redis's clock, from claim to end; the slowest of them counts.
- **Replay** is the time from `invoke(Command(resume=...))` to the first line of the first step that
  is not recorded yet.
- **Hosted graphs** do nothing in their nodes either. Ours are executed in the process that
  measures, from claim to stored end, with Redis beside it; LangGraph's on the same loop. Where
  nobody reads, the events of updates and tasks are stored all the same. PostgreSQL has its
  defaults, and writes each commit to its disk; with `synchronous_commit=off`, which promises as
  much as an AOF that is written every second, LangGraph's checkpointer takes about as long as ours.
  Of the values, only those of channels count; with points and pending writes, 100 turns take a
  fifteenth of the memory.
- **Memory of a step** is MEMORY USAGE of all keys of a run with steps, less one without: its
  outcome, and its two events.
"""


def write(rows: Sequence[Row], machine: Sequence[str]) -> Path:
    """Write RESULTS.md."""
    parts = [HEAD, "\n".join(f"- {fact}" for fact in machine), ""]
    parts += ["| figure | measured | limit beside it | ratio | to reach | reached |"]
    parts += ["|---|---|---|---|---|---|", *map(line, rows), "", READING]
    if notes := _notes(rows):
        parts += ["## Not reached", "", *notes, ""]
    RESULTS.write_text("\n".join(parts), encoding="utf-8")
    return RESULTS


def line(row: Row) -> str:
    """A row of the table."""
    limit = f"{span(row.limit)} {row.unit}, {row.limit_name}" if row.limit is not None else "-"
    ratio = span(row.ratio) if row.ratio is not None else "-"
    bars = ", ".join(
        f"{bar.relation} {number(bar.number)}{' x' if bar.of == 'ratio' else ' ' + row.unit}"
        for bar in row.bars
    )
    cells = (row.figure, f"{span(row.measured)} {row.unit}", limit, ratio, bars)
    return f"| {' | '.join(cells)} | {'yes' if row.reached else '**no**'} |"


def span(sample: Sample) -> str:
    """Median, least and most."""
    if len(sample.values) == 1:
        return number(sample.median)
    return f"{number(sample.median)} ({number(sample.low)} to {number(sample.high)})"


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _notes(rows: Sequence[Row]) -> list[str]:
    missed: dict[str, list[str]] = {}
    for row in rows:
        if not row.reached:
            missed.setdefault(row.note, []).append(row.figure)
    return [f"- {'; '.join(figures)}: {note}" for note, figures in missed.items()]
