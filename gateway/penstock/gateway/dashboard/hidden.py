"""Events without their values, for viewers."""

from __future__ import annotations

__all__ = ["HIDDEN", "without_values"]

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from penstock.publisher.event import Event

HIDDEN: Final = "(hidden)"

_SHOWN: Final = frozenset(
    {
        *("id", "name", "queue", "status", "void_from", "attempt", "delay", "seconds", "steps"),
        *("cached", "recorded", "step", "mode", "type"),
    }
)
"""Members of the data of events that are no values."""

_MEMBERS: Final[Mapping[str, Any]] = {
    "message": {"chunk": HIDDEN},
    "graph": {"chunk": HIDDEN},
    "run.interrupted": {"interrupts": []},
    "step.interrupted": {"interrupts": []},
}


async def without_values(events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """Give events without what was given, returned, asked or streamed."""
    try:
        async for event in events:
            yield replace(event, data=_plain(event))
    finally:
        await events.aclose()


def _plain(event: Event) -> Any:
    if event.mode == "custom" or not isinstance(event.data, Mapping):
        return HIDDEN
    data = cast("Mapping[str, Any]", event.data)
    shown = {name: value for name, value in data.items() if name in _SHOWN}
    return shown | _MEMBERS.get(event.mode, {})
