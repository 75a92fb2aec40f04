"""The promises of the demo, checked against what happened. Pure: evidence in, verdicts out."""

from __future__ import annotations

__all__ = [
    "Evidence",
    "Execution",
    "Promise",
    "judge",
    "judge_events",
    "judge_outlived",
    "read_trace",
]

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.publisher.event import Event
from penstock.worker.demo.flow import Report


@dataclass(frozen=True, slots=True)
class Execution:
    """A step that a worker began, as the step itself noted."""

    step: str
    attempt: int
    pid: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that happened, when the demo is over."""

    status: str
    result: Report | None
    listed: Sequence[str]
    """The files that the run found."""
    expected: Report | None
    """The same report from a plain loop; None where that failed."""
    live: Sequence[Event]
    late: Sequence[Event]
    returning: Sequence[Event]
    returns: int
    executions: Sequence[Execution]
    killed_pid: int

    @property
    def recorded(self) -> dict[str, int]:
        """The recorded steps, each with the attempt that recorded it last."""
        return {event.data["id"]: event.attempt for event in self._records}

    @property
    def _records(self) -> list[Event]:
        return [event for event in self.live if event.mode == "step.finished"]

    @property
    def twice(self) -> set[str]:
        """The steps that were executed more than once."""
        counts = Counter(execution.step for execution in self.executions)
        return {step for step, count in counts.items() if count > 1}

    @property
    def in_flight(self) -> set[str]:
        """The steps that the killed worker had begun and not recorded."""
        recorded = {event.data["id"] for event in self._records if event.attempt == 1}
        begun = {each.step for each in self.executions if each.pid == self.killed_pid}
        return begun - recorded

    @property
    def repeated(self) -> list[str]:
        """The steps that were executed by an attempt after the one that recorded them."""
        recorded = self.recorded
        return sorted(
            {
                each.step
                for each in self.executions
                if each.attempt > recorded.get(each.step, each.attempt)
            }
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise, and whether it was kept."""

    text: str
    kept: bool
    detail: str


def judge(evidence: Evidence) -> list[Promise]:
    """Check each promise against the evidence."""
    return list(_verdicts(evidence))


def _verdicts(found: Evidence) -> Iterator[Promise]:
    yield judge_outlived(found.status, found.live, found.killed_pid)
    yield _each_file_once(found)
    yield _as_computed(found)
    yield _no_record_again(found)
    yield _only_in_flight(found)
    yield from judge_events(found.live, found.late, found.returning, found.returns)


def _each_file_once(found: Evidence) -> Promise:
    paths = [file.path for file in found.result.files] if found.result else []
    kept = bool(paths) and sorted(paths) == sorted(found.listed)
    return Promise(
        "every file analysed exactly once", kept, f"{len(set(paths))} of {len(found.listed)} files"
    )


def _as_computed(found: Evidence) -> Promise:
    kept = found.expected is not None and found.result == found.expected
    detail = "equal in every figure" if kept else "they differ"
    return Promise("the report is what a plain loop computes", kept, detail)


def _no_record_again(found: Evidence) -> Promise:
    again = found.repeated
    once = len(found.recorded) == len(found._records)  # pyright: ignore[reportPrivateUsage]
    detail = f"{len(found.recorded)} steps recorded, once each"
    if again:
        detail = f"executed again: {', '.join(again[:3])}"
    return Promise(
        "no recorded step was executed again", bool(found.recorded) and once and not again, detail
    )


def _only_in_flight(found: Evidence) -> Promise:
    twice, in_flight = found.twice, found.in_flight
    detail = f"{len(twice)} run twice, {len(in_flight)} in flight at the kill"
    return Promise("only steps in flight ran twice", twice <= in_flight, detail)


def judge_outlived(status: str, live: Sequence[Event], killed_pid: int) -> Promise:
    """Check that the run ended well although the worker of its first attempt was killed."""
    attempt = max((event.attempt for event in live), default=0)
    kept = status == "completed" and bool(killed_pid) and attempt > 1
    detail = f"{status} by attempt {attempt}"
    if not killed_pid or attempt == 1:
        detail = f"{status} before a worker could be killed"
    return Promise("the run outlived its worker", kept, detail)


def judge_events(
    live: Sequence[Event], late: Sequence[Event], returning: Sequence[Event], returns: int
) -> Iterator[Promise]:
    """Check that each subscriber got each event of the run once."""
    wanted = list(range(1, len(live) + 1))
    whole = bool(live) and live[-1].terminal
    in_order = whole and [event.seq for event in live] == wanted
    yield Promise("each event once, in order", in_order, f"1 to {len(wanted)} at a live subscriber")
    for text, events, who in (
        ("a late subscriber got the same", late, "attached after the end"),
        (
            "a subscriber that kept leaving too",
            returning,
            f"came back {returns} time{'s' * (returns != 1)} with its cursor",
        ),
    ):
        same = in_order and list(events) == list(live)
        yield Promise(text, same, who if same else f"{who}: {len(events)} of {len(wanted)} events")


def read_trace(path: Path) -> list[Execution]:
    """Read what the tasks noted of their executions."""
    if not path.exists():
        return []
    return [Execution(**json.loads(line)) for line in path.read_text().splitlines()]
