"""Rounds that take turns, and what comes of them: samples, ratios, rows with their bars."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "TINY",
    "Bar",
    "Bench",
    "Row",
    "Sample",
    "Scale",
    "beside",
    "percentile",
    "rounds",
]

Relation = Literal["<=", ">="]
AT_MOST: Relation = "<="
AT_LEAST: Relation = ">="


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; the defaults are what RESULTS.md reports."""

    rounds: int = 31
    long_rounds: int = 5
    """Rounds of the figures that take seconds each."""
    least_of: int = 10
    """Rounds of the figures of processor time of which the least counts."""
    steps: int = 100
    runs: int = 2000
    events: int = 20_000
    sleepers: int = 1000
    nap: float = 5.0
    recorded: int = 10_000
    latencies: int = 100
    settling: float = 3.0
    """Seconds after which an idle worker's memory is read."""
    kills: int = 20
    lanes: int = 5
    """Kills that are measured at the same time, where each takes a lease."""
    fleet: int = 1000
    """Runs of the one process that dies."""
    ended: tuple[int, int] = (10_000, 1_000_000)
    """Few and many runs that are over."""
    parked: int = 100
    """Runs that wait for new code."""
    idle: float = 20.0
    """Seconds for which the commands of an idle worker are counted."""
    listed: int = 100_000
    """Runs, and threads, that a page is one of."""
    few: int = 1000
    """As many as these are listed beside."""
    streams: int = 1000
    """Streams of a gateway that are open at once."""
    watched: float = 5.0
    """Seconds in which each of them gets an event a second."""
    rq: bool = True
    """Whether to wait, for more than a minute, for RQ to notice a dead worker."""


TINY = Scale(
    rounds=1, long_rounds=1, least_of=1, steps=10, runs=20, events=200, sleepers=20, nap=0.3,
    recorded=50, latencies=3, settling=0.1, kills=1, lanes=1, fleet=20, ended=(20, 40), parked=5,
    idle=1.0, listed=200, few=150, streams=20, watched=1.0, rq=False,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bench:
    """What a figure is given: a Redis of its own, and how much to measure."""

    url: str
    scale: Scale = field(default_factory=Scale)


@dataclass(frozen=True, slots=True)
class Sample:
    """One number for each round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def least(self) -> Sample:
        """Return the least value alone: of processor time, as other work only adds to it."""
        return Sample((self.low,))

    def less(self, other: Sample) -> Sample:
        """Subtract round by round."""
        return Sample(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def over(self, other: Sample) -> Sample:
        """Divide round by round: both were measured within the same moments."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure is to reach, as a number of its own or as a ratio to its limit."""

    relation: Relation
    number: float
    of: Literal["value", "ratio"] = "value"

    def reached(self, row: Row) -> bool:
        sample = row.measured if self.of == "value" else row.ratio
        assert sample is not None, f"{row.figure}: a ratio needs a limit"
        median = sample.median
        return median <= self.number if self.relation == "<=" else median >= self.number


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its limit."""

    figure: str
    unit: str
    measured: Sample
    limit: Sample | None = None
    bars: Sequence[Bar] = ()
    limit_name: str = ""
    note: str = ""
    """Why the bar is where it is, or why it is not reached, and what was tried."""

    @property
    def ratio(self) -> Sample | None:
        return self.measured.over(self.limit) if self.limit is not None else None

    @property
    def reached(self) -> bool:
        return all(bar.reached(self) for bar in self.bars)


def rounds(count: int, parts: Mapping[str, Callable[[], float]]) -> dict[str, Sample]:
    """Measure each part once a round, so that what disturbs the machine disturbs all of them.

    The part that begins moves on from round to round. Where there are several rounds, one that is
    not counted comes first.
    """
    found: dict[str, list[float]] = {name: [] for name in parts}
    names = list(parts)
    for number in range(-1 if count > 1 else 0, count):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            gc.collect()
            value = parts[name]()
            if number >= 0:
                found[name].append(value)
    return {name: Sample(tuple(values)) for name, values in found.items()}


def beside(
    limit: Callable[[], float], count: int, parts: Mapping[str, Callable[[], float]]
) -> dict[str, tuple[Sample, Sample]]:
    """As `rounds`, with the limit measured right before and right after each part.

    For figures of some milliseconds: where other work on the machine comes and goes, only
    neighbours can be compared. Gives each part's sample, and that of its limit (the mean of two).
    """
    limits: dict[str, list[float]] = {name: [] for name in parts}

    def between(name: str, part: Callable[[], float]) -> float:
        before = limit()
        value = part()
        limits[name].append((before + limit()) / 2)
        return value

    found = rounds(count, {name: partial(between, name, part) for name, part in parts.items()})
    return {name: (found[name], Sample(tuple(limits[name][-count:]))) for name in parts}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
