"""Tree writer: makes trees of values, as `tree.py` describes them."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, cast

from penstock.publisher.codec.record import Enumeration, Record, record_of
from penstock.publisher.codec.refusal import Refusal, attribute, key, unawaited
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.codec.scalar import SCALARS, write_surrogates
from penstock.publisher.codec.tree_text import quoted, to_text

__all__ = ["MAX_DEPTH", "TreeWriter", "Written", "unwritten"]

MAX_DEPTH = 200
"""Levels of JSON a value may have: room for the reader's own frames below Python's limit."""

# Python reads and writes no longer ints by default, and reading must not depend on a setting.
_INT_END = 10**4300
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class Written:
    """A value whose tree is there already."""

    __slots__ = ("tree", "value")

    def __init__(self, tree: Any, value: Any) -> None:
        self.tree = tree
        self.value = value


def unwritten(value: Any) -> Any:
    """Return a value without the tree that may stand beside it."""
    return value.value if type(value) is Written else value


class TreeWriter:
    """Makes trees of values."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry

    def of(self, value: object, depth: int = 0) -> Any:
        """Return the tree of a value, or raise `Refusal`."""
        kind = type(value)
        write = _WRITERS.get(kind)
        if write is not None:
            return write(self, value, depth)
        scalar = SCALARS.get(kind)
        if scalar is not None:
            return {scalar.tag: scalar.write(value)}
        record = self._registry.record(kind)
        if record is None:
            return self.other(value, depth)
        return self.write_record(record, value, depth)

    def other(self, value: object, depth: int) -> Any:
        """The tree of a value of a class that has no form here."""
        raise Refusal(unawaited(value) or self._advice(type(value)), value)

    def _advice(self, kind: type) -> str:
        """What to do about a value of a type that has no form here."""
        if record_of(kind) is not None:
            return self._unannounced(kind)
        for base in (dict, list, str, int, float, tuple, set, frozenset, bytes):
            if issubclass(kind, base):
                plain = base.__name__
                return f"would come back as a plain {plain}: convert it with {plain}()"
        return "has no stored form: use plain data, a dataclass or a pydantic model instead"

    def _unannounced(self, kind: type) -> str:
        name = kind.__name__
        function = self._registry.unresolved(kind)
        if not function:
            return (
                f"is of a class that was not announced: annotate the function with it, "
                f"or call register_type({name})"
            )
        return (
            f"is of a class that an annotation of {function}() names, and {name} means nothing "
            f"where that function is defined: import it there outside of `if TYPE_CHECKING:`, "
            f"or call register_type({name})"
        )

    def write_list(self, values: Iterable[Any], depth: int) -> list[Any]:
        """The trees of all `values`, which are the container at this depth."""
        _check_depth(values, depth)
        trees: list[Any] = []
        write, below = self.of, depth + 1
        try:
            for value in values:
                trees.append(write(value, below))
        except Refusal as refusal:
            raise refusal.under(f"[{len(trees)}]", values) from None
        return trees

    def write_dict(self, value: Mapping[Any, Any], depth: int) -> Any:
        """The tree of a dict: an object where all keys allow it, else pairs."""
        if all(map(_is_name, value)):
            return self.write_members(value, depth, value)
        return {"~dict": self.write_pairs(value, depth + 1)}

    def write_pairs(self, value: Mapping[Any, Any], depth: int) -> list[Any]:
        """The tree of a dict as pairs."""
        _check_depth(value, depth)
        # The iterator of an OrderedDict with equal keys would not end.
        _check_distinct(cast("Iterable[Any]", dict.keys(cast("dict[Any, Any]", value))))
        trees: list[Any] = []
        name: Any = None
        is_key = False
        try:
            for name, item in value.items():
                is_key = True
                written = self.of(name, depth + 2)
                is_key = False
                trees.append([written, self.of(item, depth + 2)])
        except Refusal as refusal:
            step = f".keys()[{len(trees)}]" if is_key else key(name)
            raise refusal.under(step, value) from None
        return trees

    def write_special(self, value: OrderedDict[Any, Any] | Counter[Any], depth: int) -> list[Any]:
        """The tree, as pairs, of a dict of a class whose instances may have attributes."""
        if vars(value).keys() - {"__orig_class__"}:  # which OrderedDict[str, int]() leaves
            raise Refusal("has attributes beside its entries, which would be lost", value)
        return self.write_pairs(value, depth)

    def write_set(self, values: Iterable[Any], depth: int) -> list[Any]:
        """The trees of the members of a set, in the order of their texts."""
        trees = self.write_list(values, depth)
        kinds: set[type] = set(map(type, trees))
        if dict in kinds:  # what has a form of its own in JSON cannot change
            _check_distinct(values)
        return sorted(trees, key=quoted if kinds == {str} else to_text)

    def write_members(self, members: Mapping[str, Any], depth: int, owner: Any) -> dict[str, Any]:
        """The trees of named values, as an object."""
        _check_depth(owner, depth)
        trees: dict[str, Any] = {}
        name = ""
        try:
            for name, item in members.items():
                _check_name(name)
                trees[name] = self.of(item, depth + 1)
        except Refusal as refusal:
            raise refusal.under(attribute(name), owner) from None
        return trees

    def write_record(self, record: Record | Enumeration, value: Any, depth: int) -> Any:
        """The tree of a value of a class whose record is known."""
        if isinstance(record, Enumeration):
            return self._enum(record, value, depth)
        fields, more = record.take(value)
        tree: list[Any] = [record.name, self.write_members(fields, depth + 2, value)]
        if more:
            tree.append(
                {
                    name: self.of(part, depth + 3)
                    if name == "set"
                    else self.write_members(part, depth + 3, value)
                    for name, part in more.items()
                }
            )
        return {"~record": tree}

    def _enum(self, record: Enumeration, value: Any, depth: int) -> Any:
        tree: list[Any] = [record.name, record.take(value)]
        try:
            tree.append(self.of(value.value, depth + 2))
        except Refusal:
            pass  # only there for readers who do not know the enum
        return {"~enum": tree}


def _is_name(name: Any) -> bool:
    return type(name) is str and name[:1] != "~" and (name.isascii() or _PAIR.search(name) is None)


def _check_name(name: str) -> None:
    if not name.isascii() and _PAIR.search(name):
        raise Refusal("has a name that JSON cannot hold", name)


def _check_depth(value: Any, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Refusal(f"is nested more than {MAX_DEPTH} levels deep", value)


def _write_self(_tree: TreeWriter, value: Any, _depth: int) -> Any:
    return value


def _write_int(_tree: TreeWriter, value: int, _depth: int) -> int:
    if -_INT_END < value < _INT_END:
        return value
    raise Refusal("has more than 4300 digits", value)


def _write_float(_tree: TreeWriter, value: float, _depth: int) -> Any:
    return value if isfinite(value) else {"~float": repr(value)}


def _write_str(_tree: TreeWriter, value: str, _depth: int) -> Any:
    if not value.isascii() and _PAIR.search(value):
        return write_surrogates(value)
    return value


def _check_distinct(keys: Iterable[Any]) -> None:
    """Refuse keys that have changed since they became keys, and are equal or have no hash now."""
    given = list(keys)
    try:
        distinct = len(set(given))
    except Exception as error:  # of a key's own __hash__ or __eq__
        raise Refusal(f"has a key that has become invalid: {error}", keys) from None
    if distinct != len(given):
        raise Refusal("has keys that have become equal: do not change the keys of a dict", keys)


_WRITERS: dict[type, Callable[[TreeWriter, Any, int], Any]] = {
    type(None): _write_self,
    bool: _write_self,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    list: TreeWriter.write_list,
    dict: TreeWriter.write_dict,
    tuple: lambda tree, value, depth: {"~tuple": tree.write_list(value, depth + 1)},
    set: lambda tree, value, depth: {"~set": tree.write_set(value, depth + 1)},
    frozenset: lambda tree, value, depth: {"~frozenset": tree.write_set(value, depth + 1)},
    deque: lambda tree, value, depth: {"~deque": [tree.write_list(value, depth + 2), value.maxlen]},
    OrderedDict: lambda tree, value, depth: {"~ordereddict": tree.write_special(value, depth + 1)},
    Counter: lambda tree, value, depth: {"~counter": tree.write_special(value, depth + 1)},
    Written: lambda _tree, value, _depth: value.tree,
}
