"""Turns the facts of a leg into events of the thread protocol."""

from __future__ import annotations

__all__ = ["RunEvents"]

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from penstock.gateway.compatible.leg_outcome import failure_of, is_breakpoint
from penstock.gateway.compatible.legs import FoundLeg
from penstock.gateway.compatible.modes import ModeEvents, WireEvent
from penstock.gateway.compatible.protocol.message_events import MessageEvents
from penstock.gateway.compatible.protocol.namespaces import Namespaces
from penstock.gateway.compatible.protocol.protocol_event import ProtocolEvent
from penstock.publisher.event import Event
from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.types.state import checkpoint_id_of

_MODES: Final = (
    "checkpoints",
    "custom",
    "messages-tuple",
    "updates",
    "tasks",
    "values",
)

_ASKED: Final = "__interrupt__"
_METADATA: Final = "__metadata__"


class RunEvents:
    """The events of one leg; facts have to be given from its begin on, as messages are joined."""

    def __init__(self, found: FoundLeg) -> None:
        self._graph = found.run.entrypoint
        self._modes = ModeEvents(found, _MODES, subgraphs=True)
        self._messages = MessageEvents()
        self._namespaces = Namespaces()
        self._last: Event | None = None

    def of(self, event: Event) -> Iterator[ProtocolEvent]:
        """Give the events of a fact; the first one says that the leg is at work."""
        if self._last is None:
            yield self._lifecycle("running")
        self._last = event
        owner = _owner(event)
        for wire in _in_order(self._modes.of(event)):
            name, *namespace = wire.name.split("|")
            yield from self._namespaces.reach(namespace)
            if name == "messages":
                yield from self._messages.of(namespace, owner, *wire.data)
                continue
            if name == "tasks" and "result" in wire.data:
                yield from self._messages.finished(wire.data["id"])
                yield from self._namespaces.leave(namespace, wire.data)
            yield from _SHOWN[name](namespace, wire.data)

    def remember(self, event: Event) -> None:
        """Take the messages of a fact of an earlier leg, which may be void."""
        self._modes.remember(event)

    def end(self, now: FoundLeg | None) -> Iterator[ProtocolEvent]:
        """Give what ends a leg, which is over as `now` says; None if its run was deleted."""
        yield from self._messages.all_finished()
        asked = self._asked() if now is not None and now.status == "success" else []
        for each in asked:
            if not is_breakpoint(each):
                known = {name: each[name] for name in ("value", "response_schema") if name in each}
                # clients read the question by two names
                data = {"interrupt_id": each["id"], "payload": each["value"], **known}
                yield ProtocolEvent("input.requested", (), data)
        failure = None if now is None else failure_of(now, self._last)
        if failure is not None:
            error = ": ".join(filter(None, (failure["error"], failure["message"])))
            yield from self._namespaces.leave_all("failed")
            yield self._lifecycle("failed", error=error)
            return
        is_whole = now is not None and now.status == "success" and not asked
        event = "completed" if is_whole else "interrupted"
        yield from self._namespaces.leave_all(event)
        yield self._lifecycle(event)

    def _asked(self) -> list[Mapping[str, Any]]:
        if self._last is None or self._last.mode != "run.interrupted":
            return []
        asked: list[Any] = self._last.data.get("interrupts") or []
        return [plain(each) for each in asked]

    def _lifecycle(self, event: str, **rest: Any) -> ProtocolEvent:
        return ProtocolEvent("lifecycle", (), {"event": event, "graph_name": self._graph, **rest})


def _in_order(found: Iterable[WireEvent]) -> list[WireEvent]:
    """Return the events of a fact as clients expect them: a checkpoint comes before its values."""
    return sorted(found, key=lambda wire: wire.name.partition("|")[0] == "values")


def _owner(event: Event) -> str:
    """Return the id of the task that says something."""
    if event.mode == "graph":
        return event.namespace[-1].partition(":")[2] if event.namespace else ""
    if event.mode.startswith("step."):
        return str(event.data["id"])
    return "/".join(event.namespace)


def _values(namespace: Sequence[str], data: Any) -> Iterator[ProtocolEvent]:
    if isinstance(data, dict) and _ASKED in data:
        fields = cast("dict[str, Any]", data)
        data = {name: value for name, value in fields.items() if name != _ASKED}
        if not data:
            return
    yield ProtocolEvent("values", namespace, data)


def _updates(namespace: Sequence[str], data: Mapping[str, Any]) -> Iterator[ProtocolEvent]:
    for node, values in data.items():
        if node not in (_ASKED, _METADATA):
            yield ProtocolEvent("updates", namespace, {"node": node, "values": values}, node)


def _custom(namespace: Sequence[str], data: Any) -> Iterator[ProtocolEvent]:
    """Give what was written; two fields `name` and `payload` are the channel, and what it has."""
    payload: Any = {"payload": data}
    if isinstance(data, dict) and data.keys() == {"name", "payload"}:
        fields = cast("dict[str, Any]", data)
        if isinstance(fields["name"], str) and fields["name"]:
            payload = fields
    yield ProtocolEvent("custom", namespace, payload)


def _tasks(namespace: Sequence[str], data: Any) -> Iterator[ProtocolEvent]:
    yield ProtocolEvent("tasks", namespace, data)


def _checkpoints(namespace: Sequence[str], data: Mapping[str, Any]) -> Iterator[ProtocolEvent]:
    metadata: Mapping[str, Any] = data.get("metadata") or {}
    found = {
        "id": _checkpoint_id(data.get("config")),
        "step": metadata.get("step", 0),
        "source": metadata.get("source", "loop"),
    }
    if parent := _checkpoint_id(data.get("parent_config")):
        found["parent_id"] = parent
    yield ProtocolEvent("checkpoints", namespace, found)


def _checkpoint_id(config: Mapping[str, Any] | None) -> str:
    return checkpoint_id_of(config) if config else ""


_SHOWN: Final = {
    "values": _values,
    "updates": _updates,
    "custom": _custom,
    "tasks": _tasks,
    "checkpoints": _checkpoints,
}
"""How the event of a stream mode is shown."""
