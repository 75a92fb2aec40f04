"""Loose: the stored form of values that errors carry, as much of each as can be stored.

    {"~object": [class, {attribute: value}, {lost attribute: message}]}
    {"~shown": tree}       a record or an enum of a class that was not announced
    {"~lost": message}     a value that cannot be stored

An object of a plain class, whose state is all in attributes, comes back as one of its class if
this process has loaded that, else as its attributes alone (`Remains`). Nothing is imported for
it, and none of its code runs. Attributes and entries whose name says that they are secret are
left out, of the error itself too: a response of an HTTP library has the headers of its request.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final

from penstock.publisher.codec.absent import LOST, Absent, attribute_lost, hide, lost_of
from penstock.publisher.codec.namesakes import MARK
from penstock.publisher.codec.naming import loaded_class, name_of
from penstock.publisher.codec.record import (
    attributes_of,
    is_made_in_python,
    is_pure,
    record_of,
    slots_of,
)
from penstock.publisher.codec.refusal import Refusal, shown_type
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.codec.tree_reader import TreeReader
from penstock.publisher.codec.tree_text import to_text
from penstock.publisher.codec.tree_writer import TreeWriter
from penstock.publisher.errors import NotStoredError

__all__ = ["LooseTree", "Remains", "built", "lost_part"]

_PARTS_MAX: Final = 4000
_DEPTH: Final = 100  # of the levels that a tree may have, those that are left to the error's own
_SECRET = re.compile(
    r"authori[sz]ation|cookie|passw|secret|credential|(api|access|private)[-_]?key"
    r"|(auth|access)[-_]?token|^token$"
)


class LooseTree(TreeWriter):
    """Makes trees of any values, within limits for all of them together.

    `describe` describes an error that is a part of a value, or refuses it.
    """

    def __init__(
        self, registry: TypeRegistry, describe: Callable[[BaseException], Mapping[str, Any]]
    ) -> None:
        super().__init__(registry)
        self._describe = describe
        self._left = _PARTS_MAX
        self._above: set[int] = set()

    def of(self, value: object, depth: int = _DEPTH) -> Any:
        """Return the tree of a value; never raises a `Refusal`."""
        self._left -= 1
        if self._left < 0:
            return _lost(value, "is a part of too large an object")
        if type(value) is Absent:
            return {"~lost": Absent.message(value)}
        try:
            return super().of(value, depth)
        except Refusal as refusal:
            return _lost(refusal.culprit, refusal.reason)

    @contextlib.contextmanager
    def inside(self, owner: object) -> Generator[None]:
        """Take the values that are written meanwhile for parts of an object, without secrets."""
        self._above.add(id(owner))
        try:
            yield
        finally:
            self._above.discard(id(owner))

    def whole(self, value: object, limit: int) -> Any:
        """Return the tree of a value whose text has at most `limit` characters, else a message.

        The value takes at most half of the parts that are left, and one if it cannot be stored.
        """
        left, self._left = self._left, self._left // 2
        given, tree = self._left, self.of(value)
        if not lost_part(tree) and len(to_text(tree)) > limit:
            tree = _lost(value, "is too large")
        self._left = left - (1 if lost_part(tree) else given - max(self._left, 0))
        return tree

    def other(self, value: object, depth: int) -> Any:
        """The tree of an error, of a record that was not announced, or of a plain object."""
        kind = type(value)
        if isinstance(value, BaseException):
            return {"~error": self._error(self._describe(value), depth + 1, value)}
        record = record_of(kind) if _name(kind) == name_of(kind) else None
        if record is not None:
            return {"~shown": self.write_record(record, value, depth + 1)}
        if not _is_plain(kind) or id(value) in self._above:
            return super().other(value, depth)
        with self.inside(value):
            return {"~object": self._object(value, depth + 2)}

    def write_members(self, members: Mapping[str, Any], depth: int, owner: Any) -> dict[str, Any]:
        """The trees of named values, without secrets where they are parts of an object."""
        return super().write_members(self.shown(members), depth, owner)

    def write_list(self, values: Iterable[Any], depth: int) -> list[Any]:
        """The trees of all values; of a pair with a name only that, if it is a secret."""
        if self._above and isinstance(values, tuple) and values and _is_secret(values[0]):
            given: tuple[Any, ...] = values
            name = _folded(given[0])  # which some have twice
            values = [part if _folded(part) == name else _sealed(given[0]) for part in given]
        return super().write_list(values, depth)

    def write_pairs(self, value: Mapping[Any, Any], depth: int) -> list[Any]:
        """The tree of a dict as pairs, without secrets where it is a part of an object."""
        return super().write_pairs(self.shown(value), depth)

    def shown(self, members: Mapping[Any, Any]) -> Mapping[Any, Any]:
        """Return named values, without secrets where they are parts of an object."""
        if not self._above or not any(map(_is_secret, members)):
            return members
        return {name: _sealed(name) if _is_secret(name) else part for name, part in members.items()}

    def _error(self, description: Mapping[str, Any], depth: int, owner: object) -> dict[str, Any]:
        """The tree of an error's description, which has no secrets, but may name what is lost."""
        above, self._above = self._above, set()
        try:
            return self.write_members(description, depth, owner)
        finally:
            self._above = above

    def _object(self, value: object, depth: int) -> list[Any]:
        state = attributes_of(value, slots_of(type(value)))
        lost = dict(lost_of(value))
        state.pop(LOST, None)
        kept: dict[str, Any] = {}
        for name, tree in self.write_members(state, depth, value).items():
            if message := lost_part(tree):
                lost[name] = attribute_lost(type(value), name, message)
            else:
                kept[name] = tree
        return [_name(type(value)), kept, lost]


class Remains:
    """What is left of an object whose class is not loaded here, or cannot be found: attributes."""

    def __init__(self, name: str, kept: Mapping[str, Any], lost: Mapping[str, str]) -> None:
        self.__dict__.update(kept)
        self.__dict__[LOST] = {str(part): str(message) for part, message in lost.items()}
        self.__dict__["__of__"] = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = f"{name!r} of a {self.__dict__['__of__']} is not here: that class is not loaded"
        raise NotStoredError(lost_of(self).get(name, found))

    def __repr__(self) -> str:
        return f"<stored attributes of a {self.__dict__['__of__']}>"


def built(tree: TreeReader, registry: TypeRegistry, tag: str, inside: Any) -> tuple[Any, ...]:
    """Return what a `LooseTree` has written behind one of its tags, in a tuple; () for others."""
    if tag == "~lost":
        return (Absent(str(inside)),)
    if tag == "~shown":
        return (_shown(tree, registry, inside),)
    if tag == "~object":
        name, kept, lost = inside
        return (_object(name, tree.read_members(kept), lost),)
    return ()


def _shown(tree: TreeReader, registry: TypeRegistry, inside: Any) -> Any:
    """Return a record or an enum; its class is not announced by this, and cannot be stored."""
    ((tag, (name, *parts)),) = inside.items()
    record = registry.find(name, parts[0] if tag == "~record" else ())
    cls = loaded_class(name) if record is None else None
    if cls is not None:
        record = record_of(cls)
    if tag == "~enum":
        return tree.member(record, *parts)
    return tree.build(record, parts[0], parts[1:])


def lost_part(tree: Any) -> str:
    """Return the message of a tree that stands for a lost value, "" for other trees."""
    shape: object = tree
    return str(tree["~lost"]) if isinstance(shape, dict) and shape.keys() == {"~lost"} else ""


def _object(name: str, kept: Mapping[str, Any], lost: Mapping[str, str]) -> Any:
    cls = loaded_class(name)
    if cls is None or not _is_plain(cls):
        return Remains(name, kept, lost)
    make: Any = object.__new__
    value = make(cls)
    slots = frozenset(slots_of(cls))
    for part, item in kept.items():
        if part in slots:
            object.__setattr__(value, part, item)
        else:
            object.__getattribute__(value, "__dict__")[part] = item
    hide(value, {str(part): str(message) for part, message in lost.items()})
    return value


def _is_plain(cls: type) -> bool:
    """Whether an instance is its attributes, and nothing happens when it is gone."""
    return is_made_in_python(cls) and is_pure(cls) and not hasattr(cls, "__del__")


def _name(cls: type) -> str:
    """The name of a class that can be found by it, else one that nothing is found by."""
    name = name_of(cls)
    return name if loaded_class(name) is cls else f"{name}{MARK}"


def _is_secret(name: Any) -> bool:
    folded = _folded(name)
    return 0 < len(folded) < 60 and _SECRET.search(folded) is not None


def _folded(name: Any) -> str:
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    return name.lower() if isinstance(name, str) else ""


def _lost(value: object, reason: str) -> dict[str, str]:
    if type(value) is Absent:
        return {"~lost": Absent.message(value)}
    return {"~lost": f"{shown_type(type(value))} {reason}"}


def _sealed(name: Any) -> Absent:
    return Absent(f"{name!r} was not stored: its name says that it is a secret")
