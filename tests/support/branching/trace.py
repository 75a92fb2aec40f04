"""What the attempts of a run have seen: what was begun, what became known, and in which order."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.runtime import get_runtime
from tests.faults.support.flows import executed

Order: TypeAlias = defaultdict[str, list[tuple[str, str]]]
"""Places and what became known there, in that order, by the step whose code it is."""


@dataclass(slots=True)
class Attempt:
    """One attempt, as the run's own code has seen it."""

    known: Order = field(default_factory=lambda: defaultdict(list))
    """By step, whose code is not run again once it is recorded: what its code got to know."""
    asking: list[str] = field(default_factory=list[str])
    """Where a question was asked; its text is the place."""
    lost: list[str] = field(default_factory=list[str])
    """Branches that have lost a race, were cancelled or were left."""
    doubtful: list[str] = field(default_factory=list[str])
    """Branches that go on beside an error which nobody told them of."""
    waiting: list[str] = field(default_factory=list[str])
    """Where something is waited for that comes by itself: a time, a retry, a remote step."""
    at_work: Counter[str] = field(default_factory=Counter[str])
    """Steps whose body has begun and not ended."""

    def open(self) -> tuple[set[str], set[str]]:
        """The questions that this attempt certainly waits on, and those that it may wait on."""
        left = self._unknown(self.asking)
        sure = {place for place in left if not _below(place, self.doubtful)}
        return sure, left - sure

    def waits(self) -> set[str]:
        """The places where this attempt waits for what comes by itself."""
        return self._unknown(self.waiting)

    def places(self) -> set[str]:
        """The places where anything is known."""
        return {place for order in self.known.values() for place, _ in order}

    def _unknown(self, places: list[str]) -> set[str]:
        known = self.places()
        return {place for place in places if place not in known and not _below(place, self.lost)}


def _below(place: str, branches: list[str]) -> bool:
    return any(place == branch or place.startswith(f"{branch}.") for branch in branches)


@dataclass(slots=True)
class Trace:
    """All attempts of a run in this process."""

    attempts: list[Attempt] = field(default_factory=list[Attempt])
    begun: Counter[str] = field(default_factory=Counter[str])
    """How often the body of each step was begun, by place."""
    executed: Counter[str] = field(default_factory=Counter[str])
    """How often the body of each step was begun, by the step's id."""
    clock: Callable[[], float] = time.monotonic
    since: dict[str, float] = field(default_factory=dict[str, float])
    """When a wait was begun first, by place."""
    until: dict[str, float] = field(default_factory=dict[str, float])
    """When something became known first, by place."""
    as_a_step_begins: Callable[[], None] | None = None
    """Called once, in the body of the next step."""

    @property
    def now(self) -> Attempt:
        return self.attempts[-1]


Traces = defaultdict[str, Trace]
traces: Traces = defaultdict(Trace)
"""By run; programs write, whoever plays them reads."""


def here() -> Trace:
    """The trace of the run that the calling code belongs to."""
    return traces[get_runtime().execution_info.run_id]


def begin_attempt() -> None:
    """Note that the body begins from its first line."""
    here().attempts.append(Attempt())


def began(place: str) -> None:
    """Note that the body of a step begins."""
    if "PENSTOCK_TEST_JOURNAL" in os.environ:  # in a process of its own
        executed(place=place)
    trace = here()
    trace.begun[place] += 1
    trace.executed[get_runtime().execution_info.step_id] += 1
    if trace.attempts:  # else the step is performed elsewhere
        trace.now.at_work[place] += 1
    if trace.as_a_step_begins is not None:
        act, trace.as_a_step_begins = trace.as_a_step_begins, None
        act()


def ended(place: str) -> None:
    """Note that the body of a step has ended, however."""
    trace = here()
    if trace.attempts:
        trace.now.at_work[place] -= 1


def known(place: str, value: Any) -> Any:
    """Note what became known at a place, and return it."""
    trace = here()
    trace.now.known[get_runtime().execution_info.step_id].append((place, str(value)))
    trace.until.setdefault(place, trace.clock())
    return value


def lost(place: str) -> None:
    """Note that nobody wants to know what is at a place any more."""
    here().now.lost.append(place)


def doubtful(place: str) -> None:
    """Note that branches below a place may go on, though nobody waits for them."""
    here().now.doubtful.append(place)


def waits(place: str) -> None:
    """Note that something is waited for at a place which comes by itself."""
    trace = here()
    trace.now.waiting.append(place)
    trace.since.setdefault(place, trace.clock())


def asks(place: str) -> str:
    """Note that a question is asked at a place, and return its text."""
    here().now.asking.append(place)
    return place
