"""Rows as Markdown."""

from __future__ import annotations

from benchmarks.harness import Row, Sample

__all__ = ["line"]


def line(row: Row) -> str:
    limit = f"{span(row.limit)} ({row.limit_name})" if row.limit is not None else "-"
    ratio = span(row.ratio) if row.ratio is not None else "-"
    bars = ", ".join(
        f"{bar.relation} {number(bar.number)}{' x' if bar.of == 'ratio' else ' ' + row.unit}"
        for bar in row.bars
    )
    cells = (
        row.figure, f"{span(row.measured)} {row.unit}", limit, ratio, bars,
        "yes" if row.reached else "**no**",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def span(sample: Sample) -> str:
    if len(sample.values) == 1:
        return number(sample.median)
    return f"{number(sample.median)} ({number(sample.low)} to {number(sample.high)})"


def number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
