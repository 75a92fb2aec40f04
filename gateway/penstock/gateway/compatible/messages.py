"""Chat messages as LangGraph's clients read them: completed, joined, and taken back where void."""

from __future__ import annotations

__all__ = ["StreamedMessage", "StreamedMessages", "wire_message"]

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from penstock.runtime.diagnostics.plain import plain

_ROLES: Final = {"user": "human", "assistant": "ai", "developer": "system"}
"""The type of a message by its role, where it has another name."""

_CHUNK: Final = "AIMessageChunk"


def wire_message(message: Any, message_id: Any = None, *, whole: bool = True) -> dict[str, Any]:
    """Return a message, or a chunk of one, with all that clients expect of it."""
    given: Any = plain(message)
    if not isinstance(given, Mapping):
        given = {"content": given}
    found: dict[str, Any] = dict(cast("Mapping[str, Any]", given))
    role = found.pop("role", None)
    kind = found.get("type") or (_ROLES.get(role, role) if role else "ai")
    if not whole and kind in ("ai", "assistant"):
        kind = _CHUNK
    completed: dict[str, Any] = {
        "content": "",
        **found,
        "type": kind,
        "id": found.get("id") or message_id,
        "name": found.get("name"),
        "additional_kwargs": found.get("additional_kwargs") or {},
        "response_metadata": found.get("response_metadata") or {},
    }
    if kind in ("ai", _CHUNK):
        for name in ("tool_calls", "invalid_tool_calls"):
            completed.setdefault(name, [])
        completed.setdefault("usage_metadata", None)
    if kind == _CHUNK:
        completed.setdefault("tool_call_chunks", [])
    if completed["content"] is None:
        completed["content"] = ""
    return completed


@dataclass(slots=True)
class StreamedMessage:
    """One message, as far as it has come."""

    seq: int
    """The seq of its first chunk."""
    message: dict[str, Any]
    metadata: Mapping[str, Any]

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Join another chunk to it."""
        message = self.message
        for name, value in chunk.items():
            before: Any = message.get(name)
            if name == "content":
                message[name] = _joined(before, value)
            elif name == "tool_call_chunks":
                message[name] = _joined_calls(before or [], value or [])
            elif isinstance(before, list) and isinstance(value, list):
                message[name] = [*before, *value]
            elif value not in (None, "", {}):
                message[name] = value


@dataclass(slots=True)
class StreamedMessages:
    """The messages that the steps of a run have streamed, by step and id."""

    by_step: dict[str, dict[str, StreamedMessage]] = field(
        default_factory=dict[str, dict[str, StreamedMessage]]
    )
    ids: set[str] = field(default_factory=set[str])

    def take(
        self, step_id: str, seq: int, chunk: dict[str, Any], metadata: Mapping[str, Any]
    ) -> tuple[StreamedMessage, bool]:
        """Take a chunk; returns its message, and whether it is the first of it."""
        messages = self.by_step.setdefault(step_id, {})
        name = str(chunk["id"])
        self.ids.add(name)
        if name in messages:
            messages[name].add(chunk)
            return messages[name], False
        messages[name] = StreamedMessage(seq, dict(chunk), metadata)
        return messages[name], True

    def take_back(self, step_id: str, void_from: int) -> Iterator[StreamedMessage]:
        """Give the messages that a step has begun since a seq, and forget them."""
        messages = self.by_step.get(step_id, {})
        for name, each in list(messages.items()):
            if each.seq >= void_from:
                self.ids.discard(name)
                yield messages.pop(name)


def _joined(before: Any, more: Any) -> Any:
    if isinstance(before, str) and isinstance(more, str):
        return before + more
    return [*_parts(before), *_parts(more)]


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return list(cast("list[object]", content))
    return [{"type": "text", "text": content}] if content else []


def _joined_calls(before: list[Any], more: list[Any]) -> list[Any]:
    """Join the pieces of tool calls that have the same index."""
    calls: list[dict[str, Any]] = [dict(each) for each in before]
    for piece in more:
        for call in calls:
            if piece.get("index") is not None and call.get("index") == piece["index"]:
                call["args"] = (call.get("args") or "") + (piece.get("args") or "")
                break
        else:
            calls.append(dict(piece))
    return calls
