"""Namesakes: the classes that share one name, and which of them a stored value is of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.publisher.codec.fingerprint import fingerprint, is_reachable
from penstock.publisher.codec.naming import name_of
from penstock.publisher.codec.record import Enumeration, Record
from penstock.publisher.errors import CodecError

__all__ = ["MARK", "Namesakes", "loaded_by", "parted"]

MARK = "#"
"""Between a name that is not the only one and the fingerprint of the class."""


class Namesakes:
    """Classes of one name: mostly one; if there are more, their fingerprints distinguish them.

    Two of one fingerprint were made by the same lines, as where a module is loaded anew: values
    come back as the one that its module has under the name, or the newer one.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._records: dict[type, Record | Enumeration] = {}
        self._marks: dict[type, str] = {}
        self._only: Record | Enumeration | None = None

    def add(self, cls: type, record: Record | Enumeration) -> None:
        """Add a class; from the second one on, all are written with their fingerprints."""
        self._records[cls] = record
        if len(self._records) == 1:
            self._only = record
            return
        self._only = None
        for each in self._records:
            if each not in self._marks:
                self._marks[each] = fingerprint(each)
        if self._are_several:
            for each, mark in self._marks.items():
                self._records[each].name = f"{self.name}{MARK}{mark}"

    def find(self, mark: str, fields: Iterable[str]) -> Record | Enumeration | None:
        """Return the class that a stored value is of, by its fingerprint or its fields.

        None where it is a class that is not here.

        Raises:
            CodecError: it may be of either of two.
        """
        if not mark and self._only is not None:
            return self._only
        found = list(self._records)
        if mark:
            alike = [cls for cls in found if self._mark_of(cls) == mark]
            # Else the code has changed since, or the class is one that this process has not.
            found = alike or [cls for cls in found if self._has(cls, fields)]
        elif self._are_several:
            found = self._likely(found, fields)
        if not found:
            return None
        return self._records[next(filter(is_reachable, reversed(found)), found[-1])]

    @property
    def _are_several(self) -> bool:
        return len(set(self._marks.values())) > 1

    def _mark_of(self, cls: type) -> str:
        return self._marks.get(cls) or fingerprint(cls)

    def _likely(self, found: list[type], fields: Iterable[str]) -> list[type]:
        alike = [cls for cls in found if self._has(cls, fields)]
        alike = [cls for cls in alike if is_reachable(cls)] or alike
        if len({self._mark_of(cls) for cls in alike}) == 1:
            return alike
        raise CodecError(
            f"{len(found)} classes are called {self.name!r}, and a stored value may be of either: "
            "give each a name of its own."
        )

    def _has(self, cls: type, fields: Iterable[str]) -> bool:
        names = self._records[cls].names
        return names is None or set(names) == set(fields)


def parted(name: str) -> tuple[str, str]:
    """Return the name of a class and the fingerprint behind it, "" for none."""
    if MARK not in name or name[-1] == "]":  # one in brackets is in a text of a Literal
        return name, ""
    plain, _, mark = name.rpartition(MARK)
    return plain, mark


def loaded_by(name: str, bases: Iterable[type]) -> list[type]:
    """Return the loaded classes of a name that are one of the bases, or derive from one."""
    part = name.partition("[")[0].rpartition(".")[2]  # of a generic, the class without brackets
    seen: set[type] = set()
    return [
        cls
        for base in bases
        for cls in _subclasses(base, seen)
        if part in cls.__qualname__ and name_of(cls) == name
    ]


def _subclasses(cls: type, seen: set[type]) -> Iterator[type]:
    """Give a class and all loaded classes that derive from it, the older ones first."""
    if cls not in seen:
        seen.add(cls)
        yield cls
        children: list[type] = type.__subclasses__(cls)
        for child in children:
            yield from _subclasses(child, seen)
