"""Names of the channels that are LangGraph's own."""

from __future__ import annotations

__all__ = [
    "BARE",
    "CONTROL",
    "CONTROL_WRITES",
    "ERROR",
    "INTERRUPT",
    "NULL_TASK",
    "RESUME",
    "RETURN",
]

from typing import Final

ERROR: Final = "__error__"
INTERRUPT: Final = "__interrupt__"
RESUME: Final = "__resume__"
RETURN: Final = "__return__"
"""What a task of the functional API has returned."""

CONTROL: Final = frozenset({"__error_source_node__"})
"""Channels that say what happened to a task, beside those of `WRITES_IDX_MAP`."""

CONTROL_WRITES: Final = CONTROL | {ERROR, INTERRUPT, RESUME}
"""All channels that say what happened to a task: one that has written to no other has not ended."""

BARE: Final = ("__end__", "__root__")
"""The channels of graphs whose values have no names: what an entrypoint returns, a state of one."""

NULL_TASK: Final = "00000000-0000-0000-0000-000000000000"
"""The task that LangGraph stores what a `Command` writes under."""
