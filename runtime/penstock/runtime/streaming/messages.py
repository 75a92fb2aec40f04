"""The mode `messages`: chunks that tasks stream, and the chat messages in their results."""

from __future__ import annotations

__all__ = ["Messages", "place"]

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, Final, cast

from pydantic import BaseModel

from penstock.runtime.journal.step_id import namespace, step_name

DEPTH: Final = 3
"""How deep in a result messages are looked for: in lists and dicts, and those inside of them."""

_KINDS: Final = frozenset({"ai", "human", "system", "tool", "function", "chat", "developer"})
"""The `type` of LangChain's messages, which have no role."""


class Messages:
    """Makes the chunks of one reader: each message once, streamed or whole."""

    def __init__(self, entrypoint: str, config: Mapping[str, Any]) -> None:
        self.entrypoint = entrypoint
        self.step = 0
        self._given = dict(config.get("metadata") or {})
        self._tags = list(config.get("tags") or ())
        self._seen: set[Hashable] = set()

    def chunk(self, data: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Give a streamed chunk with its metadata; the whole message does not come after it."""
        self._seen.add(data["id"])
        return data["chunk"], self._about(data.get("step", ""), data["id"], whole=False)

    def found(self, value: Any, step_id: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Give the messages in a result that were not seen yet, with their metadata."""
        for message, name in _messages(value, DEPTH):
            if name not in self._seen:
                self._seen.add(name)
                yield message, self._about(step_id, name, whole=True)

    def _about(self, step_id: str, name: Hashable, *, whole: bool) -> dict[str, Any]:
        return {
            **self._given,
            "id": name,
            "whole": whole,
            "step": step_id,
            "tags": self._tags,
            **place(step_id, self.entrypoint, self.step),
        }


def place(step_id: str, entrypoint: str, step: int) -> dict[str, Any]:
    """Return the metadata of a step's place in a run of the entrypoint.

    `step` is the number that the run has in the history of its thread.
    """
    path = namespace(step_id)
    joined = "|".join(path)
    return {
        "langgraph_step": step,
        "langgraph_node": step_name(step_id) or entrypoint,
        "langgraph_triggers": ("__pregel_push",) if path else ("__start__",),
        "langgraph_path": path,
        "langgraph_checkpoint_ns": joined,
        "checkpoint_ns": joined,
    }


def _messages(value: Any, depth: int) -> Iterator[tuple[Any, Hashable]]:
    """Find chat messages and their ids: objects or dicts with role, content and id."""
    name = _id(value)
    if name is not None:
        yield value, name
        return
    if depth == 0:
        return
    for each in _inside(value):
        yield from _messages(each, depth - 1)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, (list, tuple)):
        return cast("Iterable[Any]", value)
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).values()
    if is_dataclass(value) or isinstance(value, BaseModel):
        return vars(value).values()
    return ()


def _id(value: Any) -> Hashable:
    """Return the id of a chat message, None for other values."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        is_message = "role" in fields and "content" in fields
        name = fields.get("id") if is_message else None
    else:
        has_role = hasattr(value, "role") or getattr(value, "type", None) in _KINDS
        name = getattr(value, "id", None) if has_role and hasattr(value, "content") else None
    return name if isinstance(name, (str, int)) else None
