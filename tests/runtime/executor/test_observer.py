from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from penstock.runtime.executor.observer import AttemptObserver, ObservedAttempt, Observers
from penstock.runtime.journal.fact import Fact

ATTEMPT = ObservedAttempt("run", "main", "thread", "default", 1, None)
FACT = Fact("step.started", {"id": "a:0"}, (), 0.0)


class Told:
    """An observer of a process and of its attempts, which may raise at everything."""

    trace = ""

    def __init__(self, *, raises: bool = False) -> None:
        self.calls: list[str] = []
        self._raises = raises

    def _take(self, what: str) -> None:
        self.calls.append(what)
        if self._raises:
            raise OSError("the exporter is away")

    def began(self, attempt: ObservedAttempt) -> AttemptObserver:
        self._take("began")
        return self

    def on_fact(self, fact: Fact) -> None:
        self._take("fact")

    def ended(self, outcome: str, error: BaseException | None) -> None:
        self._take(outcome)

    def called(self, scripts: Sequence[str], seconds: float) -> None:
        self._take("called")

    def recovered(self, reason: str, number: int) -> None:
        self._take(reason)

    def parked(self, number: int) -> None:
        self._take(f"parked {number}")


def test_all_observers_are_told_though_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    well, broken = Told(), Told(raises=True)
    observers = Observers([broken, well])

    attempt = observers.began(ATTEMPT)
    attempt.on_fact(FACT)
    attempt.ended("completed", None)
    observers.called(["take"], 0.1)
    observers.recovered("worker", 2)
    observers.parked(3)

    assert well.calls == ["began", "fact", "completed", "called", "worker", "parked 3"]
    assert broken.calls == ["began", "called", "worker", "parked 3"], (
        "it has no attempt, as it raised"
    )
    (logged,) = caplog.records
    assert (logged.levelno, "go on without" in logged.getMessage()) == (logging.ERROR, True)
