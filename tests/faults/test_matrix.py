"""Every fault has a test named after it, or stands on the page with the reason why not."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "faults.md"

ALL = set(range(1, 78))


def shown() -> set[int]:
    """Return the numbers that names of tests have: test_f24_f25_..., test_f01_to_f07_..."""
    found: set[int] = set()
    for file in TESTS.rglob("test_*.py"):
        for name in re.findall(
            r"^(?:async )?def test_(f\d\d\w*)\(", file.read_text(), re.MULTILINE
        ):
            if span := re.match(r"f(\d\d)_to_f(\d\d)_", name):
                found |= set(range(int(span[1]), int(span[2]) + 1))
            else:
                found |= {int(number) for number in re.findall(r"(?:^|_)f(\d\d)(?=_)", name)}
    return found


def rows(text: str) -> set[int]:
    """Return the numbers that rows of a table begin with."""
    cells = re.findall(r"^\| (F\d\d(?:, F\d\d)*) \|", text, re.MULTILINE)
    return {int(number) for cell in cells for number in re.findall(r"\d\d", cell)}


def test_each_fault_is_shown_by_a_test_or_has_a_reason() -> None:
    told, _, excused = PAGE.read_text().partition("## Not shown")

    assert shown() | rows(excused) == ALL
    assert rows(told) == shown()


def test_no_fault_that_is_shown_has_an_excuse() -> None:
    _, _, excused = PAGE.read_text().partition("## Not shown")

    assert rows(excused) & shown() == set()
