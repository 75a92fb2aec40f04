"""Names that still work and have newer ones."""

from __future__ import annotations

__all__ = ["PenstockDeprecationWarning", "renamed"]

import warnings
from typing import TypeVar

T = TypeVar("T")


class PenstockDeprecationWarning(DeprecationWarning):
    """A parameter has a newer name."""


def renamed(value: T, old_value: T | None, *, old: str, new: str) -> T:
    """Return what was given under a new or an old name; warns, at the caller's caller, of the old.

    The new one wins where both are given.
    """
    if old_value is None:
        return value
    warnings.warn(
        f"`{old}` is now called `{new}`: write {new}=...",
        PenstockDeprecationWarning,
        stacklevel=3,
    )
    return old_value if value is None else value
