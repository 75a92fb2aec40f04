"""Names of the channels that are LangGraph's own."""

from __future__ import annotations

__all__ = ["CONTROL", "INTERRUPT", "RESUME"]

from typing import Final

INTERRUPT: Final = "__interrupt__"
RESUME: Final = "__resume__"

CONTROL: Final = frozenset({"__error_source_node__"})
"""Channels that say what happened to a task, beside those of `WRITES_IDX_MAP`."""
