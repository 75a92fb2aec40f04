"""Messages of LangChain, made of the plain data that an app reads."""

from __future__ import annotations

__all__ = ["revive"]

from collections.abc import Mapping
from typing import Any, Final

from langchain_core import messages

_CLASSES: Final[Mapping[str, type[messages.BaseMessage]]] = {
    "ai": messages.AIMessage,
    "AIMessageChunk": messages.AIMessageChunk,
    "human": messages.HumanMessage,
    "system": messages.SystemMessage,
    "tool": messages.ToolMessage,
    "function": messages.FunctionMessage,
    "chat": messages.ChatMessage,
    "remove": messages.RemoveMessage,
}
"""By what messages have as `type`."""


def revive(value: Any) -> Any:
    """Return plain data with each message in it as LangChain's object: `revive(run.result())`."""
    given: Any = value
    if isinstance(value, list):
        return list(map(revive, given))
    if not isinstance(value, dict):
        return given
    fields: dict[str, Any] = given
    kind = fields.get("type")
    if isinstance(kind, str) and kind in _CLASSES and "content" in fields:
        return _CLASSES[kind].model_validate(fields)
    return {name: revive(each) for name, each in fields.items()}
