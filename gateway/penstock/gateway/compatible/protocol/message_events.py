"""The messages and the calls of tools in a leg, as events of the thread protocol."""

from __future__ import annotations

__all__ = ["MessageEvents"]

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from penstock.gateway.compatible.protocol.content_blocks import OpenMessage
from penstock.gateway.compatible.protocol.protocol_event import ProtocolEvent

_CHUNK: Final = "Chunk"

_VOID: Final = "its step is executed again"


class MessageEvents:
    """Joins chunks to messages, and finishes those whose task has ended."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], OpenMessage] = {}
        self._called: set[str] = set()
        """The ids of the calls of tools that have begun."""
        self._whole: set[str] = set()
        """The ids of the messages that are finished."""

    def of(
        self,
        namespace: Sequence[str],
        owner: str,
        message: Mapping[str, Any],
        metadata: Mapping[str, Any],
    ) -> Iterator[ProtocolEvent]:
        """Give the events of a message, or of a chunk of one."""
        kind: str = message["type"]
        name = str(message["id"])
        key = (owner, name)
        if kind == "remove":
            yield from self._taken_back(name)
            return
        if kind == "tool":
            yield from self._answered(namespace, message)
            return
        is_piece = kind.endswith(_CHUNK)
        opened = self._open.get(key)
        if opened is None and not is_piece and name in self._whole:
            return  # it came chunk by chunk
        if opened is None:
            opened = OpenMessage(name, namespace, metadata.get("langgraph_node"), metadata)
            self._open[key] = opened
            yield from self._events(opened, opened.start(kind.removesuffix(_CHUNK)))
        elif not is_piece:
            yield from self._finish(key)  # what has come of it, chunk by chunk, is all of it
            return
        yield from self._events(opened, opened.add(message))
        if not is_piece or message.get("chunk_position") == "last":
            yield from self._finish(key)

    def finished(self, owner: str) -> Iterator[ProtocolEvent]:
        """Give the ends of the messages of a task."""
        for key in [each for each in self._open if each[0] == owner]:
            yield from self._finish(key)

    def all_finished(self) -> Iterator[ProtocolEvent]:
        """Give the ends of all messages."""
        for key in list(self._open):
            yield from self._finish(key)

    def _finish(self, key: tuple[str, str]) -> Iterator[ProtocolEvent]:
        opened = self._open.pop(key)
        self._whole.add(opened.message_id)
        yield from self._events(opened, opened.finish())
        for call in opened.tool_calls:
            yield from self._called_tool(opened.namespace, call)

    def _taken_back(self, name: str) -> Iterator[ProtocolEvent]:
        self._whole.discard(name)
        for key in [each for each in self._open if each[1] == name]:
            opened = self._open.pop(key)
            yield from self._events(opened, iter([opened.fail(_VOID)]))

    def _called_tool(
        self, namespace: Sequence[str], call: Mapping[str, Any]
    ) -> Iterator[ProtocolEvent]:
        name = str(call.get("id"))
        if name in self._called:
            return
        self._called.add(name)
        data = {
            "event": "tool-started",
            "tool_call_id": name,
            "tool_name": call.get("name") or "tool",
            "input": call.get("args"),
        }
        yield ProtocolEvent("tools", namespace, data)

    def _answered(
        self, namespace: Sequence[str], message: Mapping[str, Any]
    ) -> Iterator[ProtocolEvent]:
        """Give the end of a call, of which a message tells."""
        name = str(message.get("tool_call_id"))
        yield from self._called_tool(namespace, {"id": name, "name": message.get("name")})
        data = {"event": "tool-finished", "tool_call_id": name, "output": message}
        if message.get("status") == "error":
            why = message.get("content")
            data = {"event": "tool-error", "tool_call_id": name, "message": str(why)}
        yield ProtocolEvent("tools", namespace, data)

    def _events(
        self, opened: OpenMessage, parts: Iterator[dict[str, Any]]
    ) -> Iterator[ProtocolEvent]:
        for data in parts:
            yield ProtocolEvent("messages", opened.namespace, data, opened.node)
