"""When a step's outcome is stored."""

from __future__ import annotations

__all__ = ["Durability", "durability_of"]

from typing import Literal, TypeAlias, cast, get_args

from penstock.runtime.errors import ConfigurationError

Durability: TypeAlias = Literal["sync", "async", "exit"]
"""When a step's outcome is stored: before its future resolves, in the background, at the end."""


def durability_of(text: str) -> Durability:
    """Read a durability.

    Raises:
        ConfigurationError: there is none of that name.
    """
    for durability in get_args(Durability):
        if text == durability:
            return cast(Durability, durability)
    raise ConfigurationError(f'durability is "sync", "async" or "exit", not {text!r}.')
