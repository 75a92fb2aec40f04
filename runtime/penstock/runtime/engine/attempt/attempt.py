"""One try of a run: its state, shared by all its steps, and what it says."""

from __future__ import annotations

__all__ = ["Attempt"]

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.runtime.engine.attempt.failures import Failures
from penstock.runtime.engine.attempt.nested_state import NestedStates
from penstock.runtime.engine.attempt.questions import Questions
from penstock.runtime.engine.attempt.replay import Replay
from penstock.runtime.engine.attempt.timers import Timers
from penstock.runtime.engine.attempt.uncommitted import UncommittedEvents
from penstock.runtime.engine.waiting.parking import Parked
from penstock.runtime.engine.waiting.waits import Waits
from penstock.runtime.errors import Stop, Suspend
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.fact import Fact, Listener
from penstock.runtime.journal.journal import Journal
from penstock.runtime.types.control import RunControl
from penstock.runtime.types.durability import Durability


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
        observer: Listener | None = None,
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
        self.waits = Waits()
        self.timers = Timers(journal, self.waits)
        self.questions = Questions(assignment, journal, self.codec, self.waits)
        self.parked: dict[str, Parked[Any]] = {}
        """What resolves for the branches that wait on the loop, by the names of their waits."""
        self.given_up: set[str] = set()
        """The checkpoints of this attempt that say which steps were cancelled."""
        self.children = NestedStates(assignment, journal, codec)
        self.control = control or RunControl()
        self.uncommitted = UncommittedEvents()
        self.stopping: Stop | None = None
        self.is_leaving = False
        """Whether the run is about to leave its process: nothing new begins."""
        self.is_over = False
        self.observer = observer
        """Told of what the attempt appends; not of the rest that listeners are told."""
        self._listeners: tuple[Listener, ...] = () if listener is None else (listener,)

    @property
    def is_ending(self) -> bool:
        """Whether its end is decided, whatever its code still does."""
        return self.is_over or self.is_leaving or self.stopping is not None

    @property
    def is_observed(self) -> bool:
        """Whether anybody gets what the attempt says: who listens, or the journal."""
        return bool(self._listeners) or self.journal.stores

    @property
    def has_listener(self) -> bool:
        """Whether somebody in this process gets what the attempt says."""
        return bool(self._listeners)

    @contextmanager
    def listening(self, listener: Listener) -> Generator[None]:
        """Let one more listener get what the attempt says meanwhile."""
        with self.lock:
            self._listeners = (*self._listeners, listener)
        try:
            yield
        finally:
            with self.lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

    def emit(
        self, mode: str, data: Any, namespace: tuple[str, ...] = (), *, text: str | None = None
    ) -> int:
        """Tell a fact to who listens, and to the journal; returns its seq, 0 if nobody hears it."""
        if not self.is_observed:
            return 0
        fact = Fact(mode, data, namespace, time.time())
        if text is None and self.journal.stores:
            what = f"{mode} event of step {namespace[-1]!r}" if namespace else f"{mode} event"
            text = self.codec.at("event", mode).dumps(data, what)
        return self.append(fact, text or "")

    def append(self, fact: Fact, text: str, outcome: str = "") -> int:
        """Tell a fact that is written down already; returns its seq.

        Who begins to listen while the journal takes it hears what comes after it.
        """
        listeners = self._listeners
        seq = self.journal.append(fact, text, outcome)
        if self.observer is not None:
            self.observer(fact)
        for listener in listeners:
            listener(fact)
        return seq

    def notify(self, fact: Fact) -> None:
        """Tell a fact that the journal has already to who listens."""
        for listener in self._listeners:
            listener(fact)

    def check(self) -> None:
        """Leave, if the attempt is over.

        Raises:
            Stop: it has ended, was cancelled, drained, or lost its lease.
            Suspend: the run leaves its process.
        """
        if self.is_over:
            raise Stop(f"run {self.assignment.run_id!r} is over; what comes late does not count")
        if self.stopping is not None:
            raise self.stopping
        if self.is_leaving:
            raise Suspend(f"run {self.assignment.run_id!r} leaves its process: nothing new begins")

    def leave_if_waiting(self, step_id: str) -> None:
        """Leave a step whose body has caught a Suspend, as if it had not.

        What branches on the loop are parked for is given up: the body that began them has ended.

        Raises:
            Suspend: the step, or one below it, waits for what has not come yet.
        """
        names: list[str] = []
        for wait in self.waits.below(step_id):
            if wait.name in self.parked and not self.is_ending:
                self.waits.withdraw(wait.name)
            else:
                names.append(wait.name)
        if names:
            raise Suspend(f"step {step_id!r} waits for what has not come yet", *names)
