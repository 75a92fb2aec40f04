"""Tree: a value as plain JSON data, with a tag where JSON has no form of its own.

None, bool, int, finite float, str, list and dict with str keys stand for themselves. Everything
else is an object of one member whose name begins with "~":

    {"~tuple": [...]}  {"~set": [...]}  {"~frozenset": [...]}    sets in the order of their texts
    {"~dict": [[key, value], ...]}             keys that are no str, or begin with "~"
    {"~ordereddict": ...}  {"~counter": ...}   pairs as well
    {"~deque": [[...], maxlen]}
    {"~float": "nan" | "inf" | "-inf"}
    {"~record": [class, {field: value}]}       model, dataclass, named tuple; a third member holds
                                               what an instance has beside its fields
    {"~enum": [class, member, value]}
    {"~bytes": base64} and the other scalars of `scalar.py`
    {"~sealed": ...}                           what `encrypted.py` has written
    {"~error": {...}} and what errors carry    see `errors_tree.py`, `failure.py`, `loose.py`

A class is a name that the registry of the reading process knows; for an unknown one the reader
gets the fields as a dict, or the enum's value. Subclasses of the builtin types are refused, as
they would come back as something else.
"""

from __future__ import annotations

import json
import re
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, NoReturn, cast

from penstock.publisher.errors import CodecError, EncryptionError
from penstock.publisher.record import Enumeration, Record, record_of
from penstock.publisher.refusal import Refusal, attribute, key, unawaited
from penstock.publisher.registry import TypeRegistry
from penstock.publisher.scalar import READERS, SCALARS, write_surrogates

__all__ = ["MAX_DEPTH", "SEALED", "Tree", "Written", "to_text"]

MAX_DEPTH = 200
"""Levels of JSON a value may have: room for the reader's own frames below Python's limit."""

SEALED = "~sealed"
"""Tag of what an `EncryptedCodec` has written."""

# Python reads and writes no longer ints by default, and reading must not depend on a setting.
_INT_END = 10**4300
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}

_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
)


def _parts_with(make: Callable[..., Any] | None) -> Callable[[Any, int], Iterable[str]]:
    """Return what the encoder makes for each text, made once where it is in C.

    How that is made is no promise of Python's: where it is another way, the encoder does it.
    """
    string = json.encoder.encode_basestring
    try:
        made = cast(Any, make)(None, _encoder.default, string, None, ":", ",", False, False, False)
    except TypeError:  # also where there is none
        return lambda value, _: _encoder.iterencode(value)
    return cast("Callable[[Any, int], Iterable[str]]", made)


_parts = _parts_with(getattr(json.encoder, "c_make_encoder", None))


def to_text(value: Any) -> str:
    """Write a tree as JSON text; at once where it is a whole number, as the encoder is not."""
    return int.__repr__(value) if type(value) is int else "".join(_parts(value, 0))


class Written:
    """A value whose tree is there already."""

    __slots__ = ("tree", "value")

    def __init__(self, tree: Any, value: Any) -> None:
        self.tree = tree
        self.value = value


class Tree:
    """Makes trees of values, and values of trees."""

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
        raise Refusal(unawaited(value) or _advice(type(value)), value)

    def value(self, tree: Any) -> Any:
        """Return the value of a tree, or raise `CodecError`."""
        shape: object = tree
        kind = type(shape)
        if kind is dict:
            if len(tree) == 1:
                ((tag, inside),) = tree.items()
                if tag[:1] == "~":
                    return self._tagged(tag, inside)
            return {name: self.value(item) for name, item in tree.items()}
        if kind is list:
            return [self.value(item) for item in tree]
        return tree

    # -- writing

    def write_list(self, values: Iterable[Any], depth: int) -> list[Any]:
        """The trees of all `values`, which are the container at this depth."""
        _check_depth(values, depth)
        trees: list[Any] = []
        try:
            for value in values:
                trees.append(self.of(value, depth + 1))
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
        trees: list[Any] = []
        step = ""
        try:
            for name, item in value.items():
                step = f".keys()[{len(trees)}]"
                written = self.of(name, depth + 2)
                step = key(name)
                trees.append([written, self.of(item, depth + 2)])
        except Refusal as refusal:
            raise refusal.under(step, value) from None
        return trees

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

    # -- reading

    def _tagged(self, tag: str, inside: Any) -> Any:
        try:
            scalar = READERS.get(tag)
            if scalar is not None:
                return scalar(inside)
            read = _READERS.get(tag)
            if read is not None:
                return read(self, inside)
            found = self.more(tag, inside)
            if found:
                return found[0]
        except (CodecError, MemoryError, RecursionError):
            raise
        except Exception as error:  # of whatever was given a wrong shape
            raise CodecError(f"a stored {tag[1:]} cannot be read: {error}") from error
        raise CodecError(
            f"the tag {tag[:40]!r} is unknown: a newer version of Penstock may have written it"
        )

    def more(self, tag: str, inside: Any) -> tuple[Any, ...]:
        """The value behind a tag that is not read here, in a tuple of its own; () for none."""
        return ()

    def read_list(self, tree: Any) -> list[Any]:
        """Read a list, and nothing that only iterates like one."""
        return [self.value(item) for item in _expect(list, tree)]

    def read_pairs(self, tree: Any) -> dict[Any, Any]:
        """Read a dict from its pairs."""
        return {self.value(name): self.value(item) for name, item in _expect(list, tree)}

    def read_record(self, tree: Any) -> Any:
        """Read a record; as a dict, where its class is unknown."""
        name, members, *rest = tree
        record = self._registry.find(name, members)  # first, as it shows the classes of its fields
        fields = self.read_members(members)
        more = {part: self._part(inside) for part, inside in rest[0].items()} if rest else {}
        if record is None or isinstance(record, Enumeration):
            return {**fields, **more.get("extra", {}), **more.get("state", {})}
        return record.build(fields, more)

    def read_enum(self, tree: Any) -> Any:
        """Read a member of an enum; as its value, where the enum is unknown."""
        name, member, *value = tree
        record = self._registry.find(name)
        if isinstance(record, Enumeration):
            return record.build(member)
        return self.value(value[0]) if value else member

    def knows(self, tree: Any) -> bool:
        """Tell whether this process has the classes of all records and enums in a tree."""
        todo: list[Any] = [tree]
        while todo:
            part = todo.pop()
            if type(part) is list:
                todo += part
            elif type(part) is dict:
                members = cast("dict[str, Any]", part)
                if not self._has_class(members):
                    return False
                todo += members.values()
        return True

    def _has_class(self, tree: dict[str, Any]) -> bool:
        if "~record" in tree:
            name, members, *_ = tree["~record"]
            found = self._registry.find(name, members)
            return found is not None and not isinstance(found, Enumeration)
        if "~enum" in tree:
            return isinstance(self._registry.find(tree["~enum"][0]), Enumeration)
        return True

    def _part(self, tree: Any) -> Any:
        return self.read_list(tree) if isinstance(tree, list) else self.read_members(tree)

    def read_members(self, tree: Any) -> dict[str, Any]:
        """Read the members of an object whose names may begin with "~"."""
        return {name: self.value(item) for name, item in _expect(dict, tree).items()}


def _expect(kind: type, tree: Any) -> Any:
    """Return `tree` if it has the shape that a reader relies on."""
    if type(tree) is not kind:
        raise TypeError(f"a {kind.__name__} is expected, not {type(tree).__name__}")
    return tree


def _is_name(name: Any) -> bool:
    return type(name) is str and name[:1] != "~" and (name.isascii() or _PAIR.search(name) is None)


def _check_name(name: str) -> None:
    if not name.isascii() and _PAIR.search(name):
        raise Refusal("has a name that JSON cannot hold", name)


def _check_depth(value: Any, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Refusal(f"is nested more than {MAX_DEPTH} levels deep", value)


def _write_self(_tree: Tree, value: Any, _depth: int) -> Any:
    return value


def _write_int(_tree: Tree, value: int, _depth: int) -> int:
    if -_INT_END < value < _INT_END:
        return value
    raise Refusal("has more than 4300 digits", value)


def _write_float(_tree: Tree, value: float, _depth: int) -> Any:
    return value if isfinite(value) else {"~float": repr(value)}


def _write_str(_tree: Tree, value: str, _depth: int) -> Any:
    if not value.isascii() and _PAIR.search(value):
        return write_surrogates(value)
    return value


def _refuse_sealed(_tree: Tree, inside: Any) -> NoReturn:
    key_id = str(inside).partition(":")[0]
    raise EncryptionError(
        f"a stored value is encrypted under key {key_id[:80]!r}, and no keys are set here: set "
        "PENSTOCK_ENCRYPTION_KEYS, or give codec=EncryptedCodec(...).",
        key_id=key_id,
    )


def _sorted(trees: list[Any]) -> list[Any]:
    return sorted(trees, key=to_text)


def _advice(kind: type) -> str:
    """What to do about a value of a type that has no form here."""
    if record_of(kind) is not None:
        return (
            f"is of a class that was not announced: annotate the function with it, "
            f"or call register_type({kind.__name__})"
        )
    for base in (dict, list, str, int, float, tuple, set, frozenset, bytes):
        if issubclass(kind, base):
            return f"would come back as a plain {base.__name__}: convert it with {base.__name__}()"
    return "has no stored form: use plain data, a dataclass or a pydantic model instead"


_WRITERS: dict[type, Callable[[Tree, Any, int], Any]] = {
    type(None): _write_self,
    bool: _write_self,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    list: Tree.write_list,
    dict: Tree.write_dict,
    tuple: lambda tree, value, depth: {"~tuple": tree.write_list(value, depth + 1)},
    set: lambda tree, value, depth: {"~set": _sorted(tree.write_list(value, depth + 1))},
    frozenset: lambda tree, value, depth: {
        "~frozenset": _sorted(tree.write_list(value, depth + 1))
    },
    deque: lambda tree, value, depth: {"~deque": [tree.write_list(value, depth + 2), value.maxlen]},
    OrderedDict: lambda tree, value, depth: {"~ordereddict": tree.write_pairs(value, depth + 1)},
    Counter: lambda tree, value, depth: {"~counter": tree.write_pairs(value, depth + 1)},
    Written: lambda _tree, value, _depth: value.tree,
}

_READERS: dict[str, Callable[[Tree, Any], Any]] = {
    "~float": lambda _tree, inside: float(str(_FLOATS[inside])),
    "~tuple": lambda tree, inside: tuple(tree.read_list(inside)),
    "~set": lambda tree, inside: set(tree.read_list(inside)),
    "~frozenset": lambda tree, inside: frozenset(tree.read_list(inside)),
    "~deque": lambda tree, inside: deque(tree.read_list(inside[0]), inside[1]),
    "~dict": Tree.read_pairs,
    "~ordereddict": lambda tree, inside: OrderedDict(tree.read_pairs(inside)),
    "~counter": lambda tree, inside: Counter(tree.read_pairs(inside)),
    "~record": Tree.read_record,
    "~enum": Tree.read_enum,
    SEALED: _refuse_sealed,
}
