"""Registry: the classes whose values may be stored, by the names that stored text uses.

A name found in Redis is only ever looked up here: nothing is imported, and a class that the
application has not shown to Penstock, in an annotation or by `register_type`, is never made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from penstock.publisher.annotation import Mentions
from penstock.publisher.errors import ConfigurationError
from penstock.publisher.record import Enumeration, Record, record_of

__all__ = ["TypeRegistry", "register_type", "registered"]

logger = logging.getLogger(__name__)

_Class = TypeVar("_Class", bound=type[Any])


class TypeRegistry:
    """Pydantic models, dataclasses, enums and named tuples that values may be made of."""

    def __init__(self) -> None:
        self._by_class: dict[type, Record | Enumeration] = {}
        self._by_name: dict[str, Record | Enumeration] = {}
        self._unresolved: list[Callable[..., Any]] = []

    def add(self, cls: _Class) -> _Class:
        """Allow values of a class, and of the classes that its fields mention.

        Works as a decorator. Of two classes with the same name, the newer one is what stored
        values come back as.
        """
        if record_of(cls) is None:
            raise ConfigurationError(
                f"{cls!r} cannot be registered: only pydantic models, dataclasses, enums and "
                "named tuples can be stored and rebuilt exactly"
            )
        mentions = Mentions()
        mentions.add(cls)
        self._add_all(mentions)
        return cls

    def offer(self, kind: Any) -> None:
        """Allow values of a class if it is one that can be; of anything else nothing."""
        if isinstance(kind, type) and record_of(kind) is not None:
            self.add(kind)

    def scan(self, function: Callable[..., Any]) -> None:
        """Allow the classes that a function's annotations mention.

        Never raises. Annotations that name something not defined yet are read again when a value
        of an unknown class turns up.
        """
        mentions = Mentions()
        try:
            mentions.add_function(function)
        except Exception:
            logger.debug("annotations of %r could not be read", function, exc_info=True)
        if not mentions.complete:
            self._unresolved.append(function)
        self._add_all(mentions)

    def record(self, cls: type) -> Record | Enumeration | None:
        """How to take values of a class apart, or None if it is not registered."""
        record = self._by_class.get(cls)
        if record is None and self._unresolved:
            self._scan_again()
            record = self._by_class.get(cls)
        return record

    def find(self, name: str) -> Record | Enumeration | None:
        """How to build values of the class of this name, or None if there is none."""
        if name not in self._by_name and self._unresolved:
            self._scan_again()
        return self._by_name.get(name)

    def __contains__(self, cls: type) -> bool:
        return cls in self._by_class

    def _add_all(self, mentions: Mentions) -> None:
        for cls in mentions.classes:
            if cls in self._by_class:
                continue
            record = record_of(cls)
            if record is not None:
                self._by_class[cls] = self._by_name[record.name] = record

    def _scan_again(self) -> None:
        waiting, self._unresolved = self._unresolved, []
        for function in waiting:
            self.scan(function)


registered = TypeRegistry()
"""The registry of this process."""


def register_type(cls: _Class) -> _Class:
    """Allow values of a class that no annotation mentions; also a class decorator."""
    return registered.add(cls)
