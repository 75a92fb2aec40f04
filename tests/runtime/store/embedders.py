"""Embed functions for tests: what a text means is written in it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import cast

WORDS = ("cat", "dog", "car")


def count_words(texts: Sequence[str]) -> list[list[float]]:
    """How often each of three words is in a text."""
    return [[float(text.count(word)) for word in WORDS] for text in texts]


def read_numbers(texts: Sequence[str]) -> list[list[float]]:
    """A text is its vector, as JSON."""
    return [cast("list[float]", json.loads(text)) for text in texts]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of two vectors, 0 if one of them has no direction."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
