"""Names that still work and have newer ones."""

from __future__ import annotations

__all__ = ["PenstockDeprecationWarning", "moved", "renamed"]

import importlib
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class PenstockDeprecationWarning(DeprecationWarning):
    """A parameter or a module has a newer name."""


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


def moved(module: str, *names: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module whose names are those of `penstock.runtime` now."""

    def get(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(
            f"{module}.{name} has moved: import {name} from penstock.runtime",
            PenstockDeprecationWarning,
            stacklevel=2,
        )
        return getattr(importlib.import_module("penstock.runtime"), name)

    return get
