"""Error class: the loaded class that a stored error is of.

Where several have its name, it is the one that the same variable of a module holds; else the one
with the same fingerprint. Two that differ in neither are known only to the process that stored the
error, and are never mixed up in others.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakSet

from penstock.publisher.codec.class_token import class_token
from penstock.publisher.codec.fingerprint import fingerprint, is_reachable
from penstock.publisher.codec.module_variables import is_held_by, variables_of
from penstock.publisher.codec.namesakes import loaded_by
from penstock.publisher.codec.naming import name_of

__all__ = ["ErrorClasses", "shared_base"]

_Classes = list[type[BaseException]]


class ErrorClasses:
    """Finds the classes of stored errors."""

    def __init__(self) -> None:
        self._alive: WeakSet[type] = WeakSet()

    def find(self, data: Mapping[str, Any], root: type[BaseException]) -> _Classes:
        """Return the classes below `root` that an error may be of: none, one, or several."""
        if data["type"] == name_of(BaseExceptionGroup):  # whose members come back as exceptions
            return [ExceptionGroup]
        found = _candidates(data, root)
        if len(found) > 1 and not self._alive.issuperset(found):
            # A function that declares a class makes one in each attempt; the old ones are in
            # circles of references, and stay loaded until the next collection.
            found.clear()
            gc.collect()
            found = _candidates(data, root)
            self._alive.update(found)
        if len(found) > 1 and (token := data.get("token")):
            return [cls for cls in found if class_token(cls) == token] or found
        return found


def shared_base(classes: _Classes) -> type[BaseException]:
    """Return the nearest class that all of several derive from and that is known by its name."""
    first, *others = classes
    return next(
        base
        for base in first.__mro__
        if issubclass(base, BaseException)
        and is_reachable(base)
        and all(issubclass(cls, base) for cls in others)
    )


def _candidates(data: Mapping[str, Any], root: type[BaseException]) -> _Classes:
    found = cast(_Classes, loaded_by(data["type"], [root]))
    mark, variables = data.get("mark", ""), list(map(str, data.get("variables", ())))
    if variables or (mark and len(found) > 1):
        held = [cls for cls in found if any(is_held_by(cls, each) for each in variables)]
        found = held or [cls for cls in found if not variables_of(cls)]
    return _alike(found, mark) if len(found) > 1 else found


def _alike(found: _Classes, mark: str) -> _Classes:
    """Return those of several classes that have this mark, or the one that its module has."""
    marks = list(map(fingerprint, found))
    if mark and len(set(marks)) > 1:
        found = [cls for cls, own in zip(found, marks, strict=True) if own == mark]
    reachable = list(filter(is_reachable, found))
    return reachable or (found if mark or len(set(marks)) == 1 else [])
