"""JSON as the gateway writes it."""

from __future__ import annotations

__all__ = ["event_frame", "json_text"]

import json
from functools import lru_cache
from typing import Any, Final

from penstock.publisher.event import Event
from penstock.runtime.diagnostics.plain import plain

_PLAIN: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

_QUICK: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain
)
"""Makes plain only what JSON has no form of; refuses what it would write in another way."""


def json_text(value: Any) -> str:
    """Write a value as the closest JSON, on one line; half a surrogate pair is escaped."""
    try:
        text = _QUICK.encode(value)
    except (ValueError, TypeError):  # a number without end, a key that is no text
        text = _PLAIN.encode(plain(value))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def event_frame(event: Event) -> str:
    """Write an event as one frame: its seq as `id`, its mode as `event`, all of it as `data`."""
    seq, mode = event.seq, event.mode
    name, origin = _names(event.run_id, event.thread_id, mode, event.namespace)
    rest = f'"attempt":{event.attempt},"time":{json_text(event.time)}'
    data = f'{{"seq":{seq},{origin},"data":{json_text(event.data)},{rest}}}'
    return f"id: {seq}\nevent: {name}\ndata: {data}\n\n"


@lru_cache(maxsize=256)
def _names(run_id: str, thread_id: str, mode: str, namespace: tuple[str, ...]) -> tuple[str, str]:
    """Write the mode on one line, and the fields that most events of a step share."""
    shared = {"run_id": run_id, "thread_id": thread_id, "mode": mode, "namespace": namespace}
    return " ".join(mode.split()), json_text(shared)[1:-1]
