"""Each decision about the gateway has a test with its number, W1 to W19."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_each_decision_has_a_test() -> None:
    numbers = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        for number in re.findall(r"^def test_w(\d+)_", path.read_text(), re.MULTILINE)
    }

    assert numbers == set(range(1, 20))
