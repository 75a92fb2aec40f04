"""The lifecycles of what runs inside a run: nested entrypoints and subgraphs."""

from __future__ import annotations

__all__ = ["Namespaces"]

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock.gateway.compatible.protocol.protocol_event import ProtocolEvent


class Namespaces:
    """Tells of each namespace when it begins, and when the task that it is in has ended."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, ...], None] = {}

    def reach(self, namespace: Sequence[str]) -> Iterator[ProtocolEvent]:
        """Give the begins of the namespaces on the way to one, the outermost first."""
        for length in range(1, len(namespace) + 1):
            path = tuple(namespace[:length])
            if path not in self._open:
                self._open[path] = None
                yield _lifecycle(path, "started")

    def leave(self, namespace: Sequence[str], result: Mapping[str, Any]) -> Iterator[ProtocolEvent]:
        """Give the ends of the namespaces that a task was in which has ended."""
        event = "completed"
        if result.get("interrupts"):
            event = "interrupted"
        elif result.get("error"):
            event = "failed"
        depth = len(namespace)
        task = str(result["id"]).rpartition("/")[2]
        for path in list(reversed(self._open)):
            is_inside = len(path) > depth and path[:depth] == tuple(namespace)
            if is_inside and _task_of(path[depth]) == task:
                del self._open[path]
                yield _lifecycle(path, event)

    def leave_all(self, event: str) -> Iterator[ProtocolEvent]:
        """Give the ends of all that are open, the innermost first."""
        for path in reversed(self._open):
            yield _lifecycle(path, event)
        self._open.clear()


def _task_of(segment: str) -> str:
    """Return the last part of the id of a namespace's task; a graph's is behind a colon."""
    return segment if segment[0] == "^" else segment.partition(":")[2]


def _lifecycle(path: Sequence[str], event: str) -> ProtocolEvent:
    name = path[-1].lstrip("^").partition(":")[0]
    return ProtocolEvent("lifecycle", path, {"event": event, "graph_name": name})
