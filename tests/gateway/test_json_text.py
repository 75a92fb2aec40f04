"""JSON of values of all sorts, and what a frame of an event costs."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import FrameType
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from penstock.gateway.json_text import event_frame, json_text
from penstock.publisher.event import Event
from penstock.runtime.diagnostics.plain import plain


class Colour(StrEnum):
    RED = "red"


class Count(IntEnum):
    ONE = 1


class Pair(Enum):
    BOTH = ("x", 1)


class Point(NamedTuple):
    x: int
    y: Any


@dataclasses.dataclass
class Box:
    value: Any


class Model(BaseModel):
    at: datetime


VALUES = (
    *(1, 1.5, True, None, "é", "\ud800", b"x", math.nan, [math.inf], Decimal("1.20")),
    *(Colour.RED, Count.ONE, Pair.BOTH, {Colour.RED: 1}, {Count.ONE: 2}, {Pair.BOTH: 3}),
    *({1: 2, None: 3, 1.5: 4}, {True: 5}, {(1, 2): 3}, {b"k": 1}, {1}, frozenset([2]), (3, [4])),
    *(Point(1, Box(2)), Box(math.nan), Box({(1,): Decimal(3)}), ValueError("no"), object),
    *(datetime(2026, 1, 1, tzinfo=UTC), timedelta(1), Model(at=datetime(2026, 1, 1, tzinfo=UTC))),
)


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_what_is_written_is_the_plain_value(value: Any) -> None:
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))

    assert json_text(value) == text.encode("utf-8", "backslashreplace").decode()


def test_a_frame_holds_all_of_its_event() -> None:
    event = Event(7, "r", "t", "two\nlines", ("a:0", "b:1"), {"x": Box(1)}, 2, 1.25)

    head, data, end = event_frame(event).partition('data: {"')

    assert head + end[-2:] == "id: 7\nevent: two lines\n\n\n"
    assert list(json.loads(f"{data[6:]}{end}").items()) == [
        ("seq", 7),
        ("run_id", "r"),
        ("thread_id", "t"),
        ("mode", "two\nlines"),
        ("namespace", ["a:0", "b:1"]),
        ("data", {"x": {"value": 1}}),
        ("attempt", 2),
        ("time", 1.25),
    ]


def test_a_frame_of_a_token_takes_few_calls() -> None:
    """Ten thousand frames a second are to leave most of a core to others."""
    event = Event(7, "r", "r", "custom", ("a:0",), {"token": "hello", "i": 1}, 1, 1.25)
    event_frame(event)

    assert calls_of(lambda: event_frame(event)) <= 8


def calls_of(act: Callable[[], object]) -> int:
    """Count the Python functions that are called."""
    calls = 0

    def count(frame: FrameType, what: str, argument: Any) -> None:
        nonlocal calls
        calls += what == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls
