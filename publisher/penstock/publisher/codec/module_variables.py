"""Module variables: the names under which modules hold a class that has another name itself.

`Busy, Lost = make("busy"), make("lost")` gives two classes with the name that `make` has for both.
"""

from __future__ import annotations

import sys
from weakref import WeakKeyDictionary

from penstock.publisher.codec.naming import loaded_objects, module_name

__all__ = ["is_held_by", "variables_of"]

_MOST = 8


class _Variables:
    """Finds the variables that hold a class, once for each class: all modules are searched."""

    def __init__(self) -> None:
        self._found: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()

    def __call__(self, cls: type) -> tuple[str, ...]:
        """Return the variables that hold a class, each with its module."""
        found = self._found.get(cls)
        if found is None:
            found = self._found[cls] = tuple(sorted(_search(cls))[:_MOST])
        return found


variables_of = _Variables()
"""Returns the variables that hold a class."""


def is_held_by(cls: type, variable: str) -> bool:
    """Return whether a variable of a loaded module holds a class."""
    return any(found is cls for found in loaded_objects(variable))


def _search(cls: type) -> set[str]:
    return {
        f"{module_name(name)}.{variable}"
        for name, module in list(sys.modules.items())
        for variable, value in list(getattr(module, "__dict__", {}).items())
        if value is cls
    }
