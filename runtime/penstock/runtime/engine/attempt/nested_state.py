"""Nested entrypoints that keep a state of their own on the thread: `checkpointer=True`."""

from __future__ import annotations

__all__ = ["NestedStates"]

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import ConfigurationError, ThreadBusyError
from penstock.runtime.journal.assignment import Assignment
from penstock.runtime.journal.journal import Journal
from penstock.runtime.journal.step_id import label

KNOWN = "children"
"""The checkpoint that names all such entrypoints of a thread; its text is a JSON list."""


class NestedStates:
    """What each of them has saved, by the time the run has come to.

    A run takes over what the thread has, and gives it back when it completes: `previous^<name>` is
    what its attempts are given, `saved^<name>` what its last write leaves for the thread.
    """

    def __init__(self, assignment: Assignment, journal: Journal, codec: Codec) -> None:
        self._run_id = assignment.run_id
        self._is_remote = bool(assignment.step_id)
        self._journal = journal
        self._codec = codec.at("thread", assignment.thread_id, "saved")
        self._saved: dict[str, Any] = {}
        self._at_work: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, name: str) -> Generator[Any]:
        """Let one call of an entrypoint have its state; gives what its last call saved, or None.

        Raises:
            ThreadBusyError: another call of it is at work in this run.
            ConfigurationError: the step that calls it is performed on a queue of its own.
        """
        if self._is_remote:
            raise ConfigurationError(
                f"nested entrypoint {name!r} keeps a state (checkpointer=True), which a task on a "
                "queue of its own cannot take along: call it in the entrypoint."
            )
        with self._lock:
            if name in self._at_work:
                raise ThreadBusyError(
                    self._run_id,
                    f"nested entrypoint {name!r} keeps a state (checkpointer=True) and is at work "
                    "in this run already: call it again after it has returned.",
                )
            self._at_work.add(name)
        try:
            yield self._previous(name)
        finally:
            self._at_work.discard(name)

    def _previous(self, name: str) -> Any:
        if name in self._saved:
            return self._saved[name]
        text = self._journal.recorded(f"previous^{label(name)}")
        return self._codec.at(label(name)).loads(text) if text is not None else None

    def save(self, name: str, value: Any) -> None:
        """Take note of what a call has saved."""
        self._saved[name] = value

    def checkpoints(self) -> Mapping[str, str]:
        """Return what the run's last write leaves for the thread.

        Raises:
            CodecError: a saved value cannot be written; names its entrypoint.
        """
        if not self._saved:
            return {}
        known: list[str] = json.loads(self._journal.recorded(KNOWN) or "[]")
        names = sorted({*known, *map(label, self._saved)})
        texts = {
            f"saved^{label(name)}": self._codec.at(label(name)).dumps(
                value, f"saved value of {name!r}"
            )
            for name, value in self._saved.items()
        }
        return {KNOWN: json.dumps(names), **texts}
