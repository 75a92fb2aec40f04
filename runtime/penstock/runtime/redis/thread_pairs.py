"""The digests by which threads are found by their metadata. No IO."""

from __future__ import annotations

__all__ = ["pairs_of", "wanted_pairs"]

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from penstock.publisher.codec.codec import Codec

LONGEST: Final = 1024
"""Characters of a value up to which it is listed; threads are not looked for by longer ones."""


def pairs_of(metadata: Mapping[str, Any], codec: Codec) -> list[str]:
    """Return the digests of metadata: of each value that is no object, and of those in arrays."""
    codec = codec.at("threads")
    return sorted({codec.digests(text, 8)[0] for text in _texts(metadata)})


def wanted_pairs(metadata: Mapping[str, Any], codec: Codec) -> list[Sequence[str]]:
    """Return the digests of what threads are looked for by; of each all those that it may have."""
    codec = codec.at("threads")
    return [codec.digests(text, 8) for text in dict.fromkeys(_texts(metadata))]


def _texts(metadata: Mapping[str, Any]) -> Iterator[str]:
    for name, value in metadata.items():
        is_array = isinstance(value, list | tuple)  # a thread with 1 is not one of those with [1]
        for each in cast("Sequence[Any]", value if is_array else (value,)):
            if isinstance(each, float) and each.is_integer():
                each = int(each)  # which is the same number
            if each is None or isinstance(each, str | int | float):
                text = json.dumps(each)
                if len(text) <= LONGEST:
                    yield f"{name}\0{'[' if is_array else ''}{text}"
