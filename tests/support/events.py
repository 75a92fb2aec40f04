"""A run's events as they are stored."""

from __future__ import annotations

from typing import Any

from penstock.publisher.stored import Stored, event_of


def stored_events(client: Any, key: str) -> list[Stored]:
    """Read the seq and text of all events in a list."""
    return [event_of(item) for item in client.lrange(key, 0, -1)]
