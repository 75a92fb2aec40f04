"""Tree reader: makes values of trees, as `tree.py` describes them."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from penstock.publisher.codec.class_names import classes_in
from penstock.publisher.codec.record import Enumeration, Record
from penstock.publisher.codec.refusal import shown_type
from penstock.publisher.codec.registry import TypeRegistry
from penstock.publisher.codec.scalar import READERS
from penstock.publisher.errors import CodecError, EncryptionError

__all__ = ["SEALED", "TreeReader"]

SEALED = "~sealed"
"""Tag of what an `EncryptedCodec` has written."""

_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


class TreeReader:
    """Makes values of trees."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry

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

    def read_set(self, tree: Any, kind: Callable[[list[Any]], Any]) -> Any:
        """Read a set or a frozenset.

        Raises:
            CodecError: two of them are equal here, as members of enums that are not loaded may be.
        """
        members = self.read_list(tree)
        found = kind(members)
        if len(found) != len(members):
            raise _lost_entry(members)
        return found

    def read_pairs(self, tree: Any) -> dict[Any, Any]:
        """Read a dict from its pairs.

        Raises:
            CodecError: two of the keys are equal here.
        """
        found = {self.value(name): self.value(item) for name, item in _expect(list, tree)}
        if len(found) != len(tree):
            raise _lost_entry([self.value(name) for name, _ in tree])
        return found

    def read_record(self, tree: Any) -> Any:
        """Read a record; as a dict, where its class is unknown."""
        name, members, *rest = tree
        # First, as it shows the classes of its fields.
        return self.build(self._registry.find(name, members), members, rest)

    def build(self, record: Record | Enumeration | None, members: Any, rest: list[Any]) -> Any:
        """Make a value of a class of its parts; a dict, where the class is unknown."""
        fields = self.read_members(members)
        more = {part: self._part(inside) for part, inside in rest[0].items()} if rest else {}
        if record is None or isinstance(record, Enumeration):
            return {**fields, **more.get("extra", {}), **more.get("state", {})}
        return record.build(fields, more)

    def read_enum(self, tree: Any) -> Any:
        """Read a member of an enum; as its value, where the enum is unknown."""
        name, member, *value = tree
        return self.member(self._registry.find(name), member, *value)

    def member(self, record: Record | Enumeration | None, member: Any, *value: Any) -> Any:
        """Return a member of an enum; its value, where the enum is unknown."""
        if isinstance(record, Enumeration):
            return record.build(member)
        return self.value(value[0]) if value else member

    def knows(self, tree: Any) -> bool:
        """Return whether this process has the classes of all records and enums in a tree."""
        for name, fields in classes_in(tree):
            found = self._registry.find(name, fields or ())
            if found is None or isinstance(found, Enumeration) != (fields is None):
                return False
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


def _refuse_sealed(_tree: TreeReader, inside: Any) -> NoReturn:
    key_id = str(inside).partition(":")[0]
    raise EncryptionError(
        f"a stored value is encrypted under key {key_id[:80]!r}, and no keys are set here: set "
        "PENSTOCK_ENCRYPTION_KEYS, or give codec=EncryptedCodec(...).",
        key_id=key_id,
    )


def _lost_entry(keys: Iterable[Any]) -> CodecError:
    twice: object = next(name for name, count in Counter(keys).items() if count > 1)
    return CodecError(
        f"two keys of a stored dict or set are equal here ({shown_type(type(twice))}), and one "
        "would be lost: load the classes of its keys, and do not change how they compare"
    )


_READERS: dict[str, Callable[[TreeReader, Any], Any]] = {
    "~float": lambda _tree, inside: float(str(_FLOATS[inside])),
    "~tuple": lambda tree, inside: tuple(tree.read_list(inside)),
    "~set": lambda tree, inside: tree.read_set(inside, set),
    "~frozenset": lambda tree, inside: tree.read_set(inside, frozenset),
    "~deque": lambda tree, inside: deque(tree.read_list(inside[0]), inside[1]),
    "~dict": TreeReader.read_pairs,
    "~ordereddict": lambda tree, inside: OrderedDict(tree.read_pairs(inside)),
    "~counter": lambda tree, inside: Counter(tree.read_pairs(inside)),
    "~record": TreeReader.read_record,
    "~enum": TreeReader.read_enum,
    SEALED: _refuse_sealed,
}
