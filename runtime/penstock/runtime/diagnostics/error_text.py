"""The sentence of an error as the codec describes it."""

from __future__ import annotations

__all__ = ["error_text"]

from collections.abc import Mapping
from typing import Any, cast


def error_text(error: Any) -> str:
    """Return the type and the message of an error; empty if there is none."""
    if not isinstance(error, Mapping):
        return ""
    described = cast("Mapping[str, Any]", error)
    text = f"{described.get('type', 'error')}: {described.get('message', '')}"
    return text.removeprefix("builtins.")
