"""Allow list: the types that may be stored, beside numbers, texts, lists and dicts."""

from __future__ import annotations

__all__ = ["OBJECTS", "AllowList", "TypeName", "Types"]

import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

import ormsgpack
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_METHODS, SAFE_MSGPACK_TYPES

from penstock.publisher.errors import ConfigurationError

TypeName: TypeAlias = tuple[str, ...]
"""Module and name of a class."""

Types: TypeAlias = Iterable[type | TypeName] | Literal["any"]
"""Classes that may be stored, or "any" for all."""

OBJECTS: Final = "numpy array of objects"
"""What `first_missing` calls an array that LangGraph writes and cannot read."""

_METHOD: Final = 3
_NUMPY: Final = 6
_SNAPSHOT: Final = 7
"""What LangGraph's msgpack calls its extension types; all others are of classes."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Names of classes, beside LangGraph's own list of safe ones."""

    names: frozenset[TypeName] = frozenset()

    @staticmethod
    def of(types: Types) -> AllowList | None:
        """Return the list of some classes, or of their modules and names; None for "any".

        Raises:
            ConfigurationError: a class is not found under its name, so that none could be read.
        """
        if types == "any":
            return None
        if isinstance(types, str | type):
            raise ConfigurationError(f'types is a list of classes or "any", not {types!r}.')
        return AllowList(frozenset(map(_name_of, types)))

    def with_more(self, names: Collection[TypeName]) -> AllowList:
        """Return a list that has other names too."""
        return AllowList(self.names | frozenset(names))

    def first_missing(self, data: bytes) -> str | None:
        """Return the first type in some msgpack that is not on the list; it imports nothing."""
        missing: list[str] = []

        def look(code: int, inside: bytes) -> None:
            tree = _unpacked(inside, look)
            if code == _SNAPSHOT or missing:
                return
            if code == _NUMPY:
                if "O" in tree[0]:
                    missing.append(OBJECTS)
            elif not self._has(code, tree):
                missing.append(".".join(tree[:2]))

        _unpacked(data, look)
        return missing[0] if missing else None

    def _has(self, code: int, tree: Any) -> bool:
        name = (tree[0], tree[1])
        if code == _METHOD:
            return (*name, tree[3]) in SAFE_MSGPACK_METHODS
        return name in SAFE_MSGPACK_TYPES or name in self.names


def _unpacked(data: bytes, look: Any) -> Any:
    return ormsgpack.unpackb(data, ext_hook=look, option=ormsgpack.OPT_NON_STR_KEYS)


def _name_of(given: type | TypeName) -> TypeName:
    if isinstance(given, tuple):
        return given
    if not isinstance(cast(object, given), type):
        raise ConfigurationError(
            f"types=[...] has classes, or pairs of a module and a name, not {given!r}."
        )
    module, name = given.__module__, given.__name__
    if getattr(sys.modules.get(module), name, None) is not given:
        raise ConfigurationError(
            f"{module}.{given.__qualname__} cannot be read again, as nothing is found at "
            f"{module}.{name}: define the class at the top of its module."
        )
    return module, name
