"""Frames of server-sent events as LangGraph's clients read them."""

from __future__ import annotations

__all__ = ["HEARTBEAT", "Cursor", "frame", "read_cursor"]

import re
from typing import Any, Final, NamedTuple

from penstock.gateway.errors import RequestError
from penstock.gateway.json_text import json_text

HEARTBEAT: Final = ": heartbeat\r\n\r\n"
"""What is sent where nothing else is."""

_ID: Final = re.compile(r"(\d{1,15})-(\d{1,9})", re.ASCII)


class Cursor(NamedTuple):
    """A place in the stream of a leg: the seq of a fact, and the number of one of its chunks."""

    seq: int
    number: int

    def __str__(self) -> str:
        return f"{self.seq}-{self.number}"


def read_cursor(last_event_id: str | None) -> Cursor | None:
    """Read the header Last-Event-ID; None stands for the begin of the leg.

    Raises:
        RequestError: it is not the id of a frame.
    """
    text = (last_event_id or "").strip()
    if text in ("", "-1"):
        return None
    found = _ID.fullmatch(text)
    if found is None:
        raise RequestError(
            422, f"Last-Event-ID is the id of an event, as in 12-0, or -1; not {text[:40]!r}."
        )
    return Cursor(int(found[1]), int(found[2]))


def frame(event: str, data: Any, cursor: Cursor | str | None = None) -> str:
    """Write a frame; one without a cursor is not counted by those who come back."""
    place = "" if cursor is None else f"id: {cursor}\r\n"
    return f"event: {event}\r\ndata: {json_text(data)}\r\n{place}\r\n"
