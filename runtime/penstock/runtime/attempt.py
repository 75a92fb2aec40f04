"""One try of a run: its state, shared by all its steps, and what it says."""

from __future__ import annotations

__all__ = ["Assignment", "Attempt", "Listener"]

import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from penstock.publisher.codec import Codec
from penstock.runtime.cache import Cache
from penstock.runtime.children import Children
from penstock.runtime.control import RunControl
from penstock.runtime.errors import Stop, Suspend
from penstock.runtime.failures import Failures
from penstock.runtime.journal import Durability, Fact, Journal
from penstock.runtime.parking import Parked
from penstock.runtime.position import Position
from penstock.runtime.questions import Questions
from penstock.runtime.replay import Replay
from penstock.runtime.scope import Scope
from penstock.runtime.timers import Timers
from penstock.runtime.waits import Waits
from penstock.runtime.words import Words

Listener: TypeAlias = Callable[[Fact], None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an attempt is to do: which run, of which thread, the how-manieth try, set up how."""

    run_id: str
    thread_id: str
    entrypoint: str
    number: int = 1
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    previous: Any = None
    context: Any = None
    store: Any = None
    cache: Cache | None = None
    position: Position | None = None
    """Where the run stands in its thread's history; None if nothing is kept."""
    step_id: str = ""
    """The step of the run that alone is to be performed, for another attempt; "" for the run."""


class Attempt:
    """One try of a run, on whichever threads its steps run."""

    def __init__(
        self,
        assignment: Assignment,
        journal: Journal,
        codec: Codec,
        *,
        durability: Durability = "async",
        listener: Listener | None = None,
        control: RunControl | None = None,
    ) -> None:
        self.assignment = assignment
        self.journal = journal
        self.shared_codec = codec
        self.codec = codec.at("run", assignment.run_id)
        self.durability: Durability = durability
        self.lock = threading.Lock()
        self.replay = Replay(journal, self.codec)
        self.failures = Failures(assignment.run_id)
        self.questions = Questions(self)
        self.waits = Waits()
        self.timers = Timers(journal, self.waits)
        self.parked: dict[str, Parked[Any]] = {}
        """What resolves for the branches that wait on the loop, by the names of their waits."""
        self.given_up: set[str] = set()
        """The checkpoints of this attempt that say which steps were cancelled."""
        self.children = Children(assignment, journal, codec)
        self.control = control or RunControl()
        self.words = Words()
        self.stopping: Stop | None = None
        self.is_leaving = False
        """Whether the run is about to leave its process: nothing new begins."""
        self.is_over = False
        self._listeners: tuple[Listener, ...] = () if listener is None else (listener,)

    @property
    def is_ending(self) -> bool:
        """Whether its end is decided, whatever its code still does."""
        return self.is_over or self.is_leaving or self.stopping is not None

    @property
    def is_heard(self) -> bool:
        """Whether anybody gets what the attempt says: who listens, or the journal."""
        return self.has_listener or self.journal.stores

    @property
    def has_listener(self) -> bool:
        """Whether somebody in this process gets what the attempt says."""
        return bool(self._listeners)

    @contextmanager
    def heard_by(self, listener: Listener) -> Generator[None]:
        """Let one more listener get what the attempt says meanwhile."""
        with self.lock:
            self._listeners = (*self._listeners, listener)
        try:
            yield
        finally:
            with self.lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

    def say(
        self, mode: str, data: Any, namespace: tuple[str, ...] = (), *, text: str | None = None
    ) -> int:
        """Tell a fact to who listens, and to the journal; returns its seq, 0 if nobody hears it."""
        if not self.is_heard:
            return 0
        fact = Fact(mode, data, namespace, time.time())
        if text is None and self.journal.stores:
            what = f"{mode} event of step {namespace[-1]!r}" if namespace else f"{mode} event"
            text = self.codec.at("event", mode).dumps(data, what)
        return self.note(fact, text or "")

    def note(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Tell a fact that is written down already; returns its seq.

        Who begins to listen while the journal takes it hears what comes after it.
        """
        listeners = self._listeners
        seq = self.journal.append(fact, text, outcome)
        for listener in listeners:
            listener(fact)
        return seq

    def heard(self, fact: Fact) -> None:
        """Tell a fact that the journal has already to who listens."""
        for listener in self._listeners:
            listener(fact)

    def check(self, scope: Scope | None = None) -> None:
        """Leave, if the attempt is over, or the try that the calling code belongs to.

        Raises:
            Stop: it has ended, was cancelled, drained, or lost its lease; or the try has failed.
        """
        if self.is_over:
            raise Stop(f"run {self.assignment.run_id!r} is over; what comes late does not count")
        if scope is not None and scope.is_abandoned and scope.is_left_behind():
            step = f"of step {scope.step_id!r} " if scope.step_id else ""
            raise Stop(f"the try {step}is over; what comes late does not count")
        if self.stopping is not None:
            raise self.stopping
        if self.is_leaving:
            raise Suspend(f"run {self.assignment.run_id!r} leaves its process: nothing new begins")

    def leave_if_waiting(self, step_id: str) -> None:
        """Leave a step whose body has caught a Suspend, as if it had not.

        Raises:
            Suspend: the step, or one below it, waits for what has not come yet.
        """
        if self.waits.by_name and (waiting := self.waits.below(step_id)):
            names = (wait.name for wait in waiting)
            raise Suspend(f"step {step_id!r} waits for what has not come yet", *names)
