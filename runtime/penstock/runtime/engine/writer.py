"""How a run's code says something of its own to those who follow it."""

from __future__ import annotations

__all__ = ["StreamWriter", "writer_of"]

from typing import Any

from penstock.runtime.engine.step import Scope


class StreamWriter:
    """Sends custom events and chunks of messages; bound to its step, good on any thread."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(self, value: Any) -> None:
        """Send one event of mode `custom`.

        Raises:
            CodecError: the value cannot be written; names the step.
        """
        self._emit("custom", value)

    def message(self, chunk: Any, *, id: str) -> None:
        """Send a chunk of the message `id`, as mode `messages` shows it.

        Raises:
            CodecError: the chunk cannot be written; names the step.
        """
        self._emit("message", {"chunk": chunk, "id": id, "step": self._scope.step_id})

    def _emit(self, mode: str, data: Any) -> None:
        scope = self._scope
        scope.go_on()
        scope.attempt.uncommitted.add(
            scope.step_id, scope.attempt.emit(mode, data, scope.namespace)
        )


def writer_of(scope: Scope) -> StreamWriter:
    """Return the writer of a scope's code."""
    return StreamWriter(scope)
