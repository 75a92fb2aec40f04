"""JSON as the gateway writes it."""

from __future__ import annotations

__all__ = ["event_frame", "json_text"]

import json
from typing import Any

from penstock.publisher.event import Event
from penstock.runtime.diagnostics.plain import plain


def json_text(value: Any) -> str:
    """Write a value as the closest JSON, on one line; half a surrogate pair is escaped."""
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def event_frame(event: Event) -> str:
    """Write an event as one frame: its seq as `id`, its mode as `event`, all of it as `data`."""
    mode = " ".join(event.mode.split())
    return f"id: {event.seq}\nevent: {mode}\ndata: {json_text(event)}\n\n"
