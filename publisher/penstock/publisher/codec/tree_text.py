"""Tree text: JSON text of a tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, cast

__all__ = ["quoted", "to_text"]

quoted = json.encoder.encode_basestring
_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)


def _parts_with(make: Callable[..., Any] | None) -> Callable[[Any, int], Iterable[str]]:
    """Return what the encoder makes for each text, made once where it is in C.

    How that is made is no promise of Python's: where it is another way, the encoder does it.
    """
    try:
        made = cast(Any, make)(None, _encoder.default, quoted, None, ":", ",", False, False, False)
    except TypeError:  # also where there is none
        return lambda value, _: _encoder.iterencode(value)
    return cast("Callable[[Any, int], Iterable[str]]", made)


_parts = _parts_with(getattr(json.encoder, "c_make_encoder", None))


def to_text(value: Any) -> str:
    """Write a tree as JSON text; at once where it is a whole number, as the encoder is not."""
    return int.__repr__(value) if type(value) is int else "".join(_parts(value, 0))
