"""Registry: the classes whose values may be stored, by the names that stored text uses.

A name found in Redis is only looked up here: nothing is imported for it (except the classes of
`known.py`), and a class that the application has not announced is never instantiated. A class is
announced by `register_type`, or by an annotation that mentions it or one of its bases.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from penstock.publisher.codec.annotation import Mentions
from penstock.publisher.codec.known import is_known, known_bases, load_known
from penstock.publisher.codec.namesakes import Namesakes, loaded_by, parted
from penstock.publisher.codec.naming import name_of
from penstock.publisher.codec.record import Enumeration, Record, is_made_in_python, record_of
from penstock.publisher.errors import ConfigurationError

__all__ = ["TypeRegistry", "register_type", "registered"]

logger = logging.getLogger(__name__)

# Of these every second class is a subclass: to mention one of them shows nothing.
_GENERAL = frozenset(("abc", "builtins", "collections.abc", "typing", "typing_extensions", "types"))

_Class = TypeVar("_Class", bound=type[Any])


class TypeRegistry:
    """Pydantic models, dataclasses, enums and named tuples that values may be made of."""

    def __init__(self) -> None:
        self._by_class: dict[type, Record | Enumeration] = {}
        self._by_name: dict[str, Namesakes] = {}
        self._bases: dict[type, None] = {}
        self._unresolved: list[tuple[Callable[..., Any], list[str]]] = []

    def add(self, cls: _Class) -> _Class:
        """Allow values of a class and of those that derive from it, and what its fields mention.

        Works as a decorator.
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

    def offer(self, annotation: Any) -> None:
        """Allow the classes that an annotation mentions, if there are any that can be."""
        mentions = Mentions()
        try:
            mentions.add(annotation)
        except Exception:  # of an object's own code: an annotation may be any object
            logger.debug("%r could not be read", annotation, exc_info=True)
        self._add_all(mentions)

    def scan(self, function: Callable[..., Any]) -> None:
        """Allow the classes that a function's annotations mention.

        Never raises. Annotations that name something not defined yet are read again when a value
        of an unknown class turns up.
        """
        mentions = Mentions()
        try:
            mentions.add_function(function)
        except Exception:  # of an object's own code: an annotation may be any object
            logger.debug("annotations of %r could not be read", function, exc_info=True)
        if mentions.unresolved:
            self._unresolved.append((function, mentions.unresolved))
        self._add_all(mentions)

    def record(self, cls: type) -> Record | Enumeration | None:
        """How to take values of a class apart, or None if it may not be stored."""
        record = self._by_class.get(cls)
        if record is None and self._unresolved:
            self._scan_again()
            record = self._by_class.get(cls)
        return self._admitted(cls) if record is None else record

    def find(self, name: str, fields: Iterable[str] = ()) -> Record | Enumeration | None:
        """How to build values of the class of this name, or None if there is none.

        The fields of a value help to choose among several classes of one name.

        Raises:
            CodecError: they do not.
        """
        found = self._by_name.get(name)
        if found is not None:
            return found.find("", fields)
        plain, mark = parted(name)
        found = self._named(plain)
        if found is None and plain[-1:] == "]":  # a generic model that is not in use here
            found = self._named(plain.partition("[")[0])
        return None if found is None else found.find(mark, fields)

    def unresolved(self, cls: type) -> str:
        """Return the name of a function of which an annotation may mean a class; "" for none.

        It names something that has no meaning where the function is defined.
        """
        word = re.compile(rf"\b{re.escape(cls.__name__)}\b")
        for function, texts in self._unresolved:
            if any(map(word.search, texts)):
                return str(getattr(function, "__qualname__", function))
        return ""

    def __contains__(self, cls: type) -> bool:
        return cls in self._by_class

    def _add_all(self, mentions: Mentions) -> None:
        for cls in mentions.classes:
            if is_made_in_python(cls) and cls.__module__ not in _GENERAL:
                self._bases[cls] = None
            if cls not in self._by_class and (record := record_of(cls)) is not None:
                self._by_class[cls] = record
                self._by_name.setdefault(record.name, Namesakes(record.name)).add(cls, record)

    def _admitted(self, cls: type) -> Record | Enumeration | None:
        """Add a class that derives from one that was shown, with all others of its name."""
        shown = [base for base in cls.__mro__ if base in self._bases]
        if not (shown or is_known(cls)) or record_of(cls) is None:
            return None
        for each in (*loaded_by(name_of(cls), shown), cls):
            self._show(each)
        return self._by_class[cls]

    def _named(self, name: str) -> Namesakes | None:
        """Return the classes of a name; adds those that derive from one that was shown."""
        if name not in self._by_name:
            if self._unresolved:
                self._scan_again()
            known = load_known(name)
            bases = (*self._bases, *known_bases())
            for cls in loaded_by(name, bases) if known is None else [known]:
                self._show(cls)
        return self._by_name.get(name)

    def _show(self, cls: type) -> None:
        mentions = Mentions()
        mentions.add(cls)
        self._add_all(mentions)

    def _scan_again(self) -> None:
        waiting, self._unresolved = self._unresolved, []
        for function, _ in waiting:
            self.scan(function)


registered = TypeRegistry()
"""The registry of this process."""


def register_type(cls: _Class) -> _Class:
    """Allow values of a class that no annotation mentions; also a class decorator."""
    return registered.add(cls)
