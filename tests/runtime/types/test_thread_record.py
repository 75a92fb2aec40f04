"""What threads are looked for by."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.runtime.types.thread_record import contains


class Compared(str):
    """A text that counts how often it is compared."""

    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("value", "part", "expected"),
    [
        ([1, 2, 3], [3, 1], True),
        ([1, 2, 3], [4], False),
        ([1, 2.0], [1.0, 2], True),
        ([True], [1], False),
        ([1], [True], False),
        ([None, "x"], [None], True),
        ([{"a": 1, "b": 2}, 5], [{"a": 1}], True),
        ([{"a": 1}, {"b": 2}], [{"a": 1, "b": 2}], False),
        ([[1, 2], [3]], [[2]], True),
        ([[1], 2], [[2]], False),
        ([], [], True),
        ({"a": [1]}, {"a": 1}, False),
    ],
)
def test_what_contains_another_value(value: Any, part: Any, expected: bool) -> None:
    assert contains(value, part) is expected
    assert contains({"in": [value]}, {"in": [part]}) is expected


def test_long_lists_are_not_compared_element_by_element() -> None:
    names = [Compared(number) for number in range(300)]
    Compared.times = 0

    assert contains(names, [*map(str, range(299, -1, -1))])
    assert not contains(names, [*map(str, range(300, 600))])

    assert Compared.times <= 600
