"""Chat messages as the thread protocol tells them: begun, block by block, and finished."""

from __future__ import annotations

__all__ = ["OpenMessage"]

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

_ROLES: Final = {"human": "human", "system": "system"}

_DELTAS: Final = {"text": "text-delta", "reasoning": "reasoning-delta"}
"""The kinds of blocks that come in pieces, and those of their pieces."""


@dataclass(slots=True)
class OpenMessage:
    """A message that has begun: gives the data of its events."""

    message_id: str
    namespace: Sequence[str]
    node: str | None
    metadata: Mapping[str, Any]
    blocks: dict[Any, dict[str, Any]] = field(default_factory=dict[Any, dict[str, Any]])
    """What each block holds so far, in the order of their begin."""
    usage: Mapping[str, Any] | None = None

    def start(self, kind: str) -> Iterator[dict[str, Any]]:
        """Give the begin of a message of a type."""
        known = {
            name: value
            for name, value in self.metadata.items()
            if value is None or isinstance(value, (str, int, float, bool))
        }
        yield self._data("message-start", role=_ROLES.get(kind, "ai"), metadata=known)

    def add(self, message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Give what a chunk, or a whole message, adds."""
        for number, block in enumerate(_content(message.get("content"))):
            yield from self._add(_key(block, number), block)
        for number, call in enumerate(message.get("tool_call_chunks") or []):
            name = call.get("index")
            piece = {"type": "tool_call_chunk", **{k: call.get(k) for k in ("id", "name", "args")}}
            yield from self._add(("call", number if name is None else name), piece)
        if not message.get("tool_call_chunks"):
            calls: list[dict[str, Any]] = message.get("tool_calls") or []
            for call in calls:
                known: dict[str, Any] = {name: call.get(name) for name in ("id", "name", "args")}
                yield from self._add(("call", call.get("id")), {"type": "tool_call", **known})
        self.usage = message.get("usage_metadata") or self.usage

    def finish(self) -> Iterator[dict[str, Any]]:
        """Give the ends of its blocks, and its own."""
        for index, block in enumerate(self.blocks.values()):
            yield self._data("content-block-finish", index=index, content=_finished(block))
        usage = {} if self.usage is None else {"usage": self.usage}
        yield self._data("message-finish", **usage)

    def fail(self, why: str) -> dict[str, Any]:
        """Return that it is void."""
        return self._data("error", message=why)

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The calls of tools that it asks for."""
        finished = [_finished(block) for block in self.blocks.values()]
        return [block for block in finished if block["type"] == "tool_call"]

    def _add(self, key: Any, piece: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        kind: str = piece["type"]
        is_new = key not in self.blocks
        if is_new:
            empty = {kind: ""} if kind in _DELTAS else {}
            if kind == "tool_call_chunk":
                empty = {"args": ""}
            self.blocks[key] = {**piece, **empty}
        index = list(self.blocks).index(key)
        block = self.blocks[key]
        if is_new:
            yield self._data("content-block-start", index=index, content=dict(block))
        if kind in _DELTAS and piece.get(kind):
            block[kind] += piece[kind]
            delta = {"type": _DELTAS[kind], kind: piece[kind]}
            yield self._data("content-block-delta", index=index, delta=delta)
        elif kind == "tool_call_chunk" and piece.get("args"):
            block["args"] += piece["args"]
            delta = {"type": "tool-call-delta", "args": piece["args"]}
            yield self._data("content-block-delta", index=index, delta=delta)

    def _data(self, event: str, **rest: Any) -> dict[str, Any]:
        # JavaScript's client tells messages that come side by side apart by `run_id`, Python's
        # by `id`
        return {"event": event, "id": self.message_id, "run_id": self.message_id, **rest}


def _content(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        return []
    return [
        {"type": "text", "text": each} if isinstance(each, str) else _known(each)
        for each in cast("list[object]", content)
    ]


def _known(block: object) -> dict[str, Any]:
    """Return a block of a type that has a name; others are shown as what they are."""
    if isinstance(block, dict) and isinstance(cast("dict[str, Any]", block).get("type"), str):
        return cast("dict[str, Any]", block)
    return {"type": "non_standard", "value": block}


def _key(block: Mapping[str, Any], number: int) -> Any:
    """Return what the pieces of a block have in common."""
    return (block["type"], block.get("index", number))


def _finished(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block that nothing is added to any more."""
    if block["type"] != "tool_call_chunk":
        return {name: value for name, value in block.items() if name != "index"}
    call = {name: block.get(name) for name in ("id", "name")}
    try:
        args: Any = json.loads(block["args"] or "{}")
    except ValueError:
        args = None
    if isinstance(args, dict) and call["name"]:
        return {"type": "tool_call", **call, "args": args}
    return {"type": "invalid_tool_call", **call, "args": block["args"], "error": "no JSON object"}
