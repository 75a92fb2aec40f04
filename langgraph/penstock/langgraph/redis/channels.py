"""Names of the channels that are LangGraph's own."""

from __future__ import annotations

__all__ = [
    "BARE",
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

CONTROL_WRITES: Final = frozenset(
    (ERROR, INTERRUPT, RESUME, "__scheduled__", "__error_source_node__")
)
"""The channels that say what happened to a task: one that has written to no other has not ended."""

BARE: Final = ("__end__", "__root__")
"""The channels of graphs whose values have no names: what an entrypoint returns, a state of one."""

NULL_TASK: Final = "00000000-0000-0000-0000-000000000000"
"""The task that LangGraph stores what a `Command` writes under."""
