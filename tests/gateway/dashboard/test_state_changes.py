"""What changed between two checkpoints."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.dashboard.state_changes import Change, state_changes


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (1, 1, []),
        (1, 2, [Change("changed", "", 1, 2)]),
        (1, True, [Change("changed", "", 1, True)]),
        (None, {"a": 1}, [Change("changed", "", None, {"a": 1})]),
        ({"a": 1}, {"a": 1, "b": None}, [Change("new", "b", after=None)]),
        ({"a": 1, "b": 2}, {"b": 3}, [Change("gone", "a", 1), Change("changed", "b", 2, 3)]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [Change("changed", "a.b[1]", 2, 3)]),
        ({"m": ["hi"]}, {"m": ["hi", "you"]}, [Change("new", "m[1]", after="you")]),
        ([1, 2, 3], [1], [Change("gone", "[1]", 2), Change("gone", "[2]", 3)]),
        ({"a": (1, 2)}, {"a": [1, 2]}, []),
    ],
)
def test_changes_are_found_where_they_are(before: Any, after: Any, found: list[Change]) -> None:
    assert state_changes(before, after) == found
