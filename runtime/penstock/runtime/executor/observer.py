"""What metrics and traces are told of the runs of a process."""

from __future__ import annotations

__all__ = ["AttemptObserver", "ObservedAttempt", "Observer", "Observers"]

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.trace_context import FIELD
from penstock.runtime.redis.replies import Claim

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObservedAttempt:
    """An attempt that begins."""

    run_id: str
    entrypoint: str
    thread_id: str
    queue: str
    number: int
    waited: float | None
    """Seconds from the run's creation to its first claim, by Redis's clock; None if it is later."""
    step_id: str = ""
    """The step that alone is performed, for a run elsewhere; "" for a run."""
    trace: str = ""
    """The trace that it belongs to, as `TraceContext` writes it; "" for none."""
    version: str = ""
    """The version of the code that the run began with; "" for none."""

    @classmethod
    def of(cls, claim: Claim) -> ObservedAttempt:
        """Return what is known of a claimed run."""
        fields = claim.fields
        waited = None
        if fields.get("epoch") == "1" and "created" in fields:
            waited = max(0.0, (int(fields["updated"]) - int(fields["created"])) / 1000)
        return cls(
            claim.lease.home or claim.lease.run_id,
            fields["entrypoint"],
            fields["thread"],
            fields["queue"],
            int(fields.get("attempt", 1)),
            waited,
            fields.get("home_step", ""),
            claim.checkpoints.get(FIELD, b"").decode("latin-1"),
            fields.get("version", ""),
        )


class AttemptObserver(Protocol):
    """Is told of one attempt, from the threads of its steps."""

    @property
    def trace(self) -> str:
        """The trace that the next attempt is to know of; "" for none."""
        ...

    def on_fact(self, fact: Fact, /) -> None:
        """Take an event of the attempt: steps that begin, fail a try and finish, and others."""
        ...

    def ended(self, outcome: str, error: BaseException | None, /) -> None:
        """Take the end: a status, `handed over`, `lost` (its lease), or `broken`."""
        ...


class Observer(Protocol):
    """Is told what a process does; from any thread."""

    def began(self, attempt: ObservedAttempt, /) -> AttemptObserver:
        """Take the begin of an attempt, in the asyncio task that executes it."""
        ...

    def called(self, scripts: Sequence[str], seconds: float, /) -> None:
        """Take a round trip to Redis, with the names of the scripts that it called."""
        ...

    def recovered(self, reason: str, number: int, /) -> None:
        """Take it that runs were recovered that other processes had lost."""
        ...

    def parked(self, number: int, /) -> None:
        """Take it that runs were set aside, as this process lacks their code."""
        ...


class Observers:
    """Tells several observers; one that raises is logged, once, and no run notices."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._is_logged = False

    def began(self, attempt: ObservedAttempt) -> AttemptObserver:
        """Tell all, and return what tells all of them of the attempt."""
        found = [self.safely(each.began, attempt) for each in self._observers]
        return _AttemptObservers(self, [each for each in found if each is not None])

    def called(self, scripts: Sequence[str], seconds: float) -> None:
        """Tell all."""
        for each in self._observers:
            self.safely(each.called, scripts, seconds)

    def recovered(self, reason: str, number: int) -> None:
        """Tell all."""
        for each in self._observers:
            self.safely(each.recovered, reason, number)

    def parked(self, number: int) -> None:
        """Tell all."""
        for each in self._observers:
            self.safely(each.parked, number)

    def safely(self, tell: Callable[..., T], *args: object) -> T | None:
        """Call an observer."""
        try:
            return tell(*args)
        except Exception:
            if not self._is_logged:
                self._is_logged = True
                logger.exception("metrics or traces fail; the runs go on without them")
            return None


class _AttemptObservers:
    def __init__(self, owner: Observers, observers: Sequence[AttemptObserver]) -> None:
        self._owner = owner
        self._observers = observers
        self.trace = next((each.trace for each in observers if each.trace), "")

    def on_fact(self, fact: Fact) -> None:
        for each in self._observers:
            self._owner.safely(each.on_fact, fact)

    def ended(self, outcome: str, error: BaseException | None) -> None:
        for each in self._observers:
            self._owner.safely(each.ended, outcome, error)
