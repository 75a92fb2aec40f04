"""The items of a store, and the operations of a batch."""

from __future__ import annotations

__all__ = [
    "NOT_PROVIDED",
    "GetOp",
    "Item",
    "Labels",
    "ListNamespacesOp",
    "MatchCondition",
    "Namespace",
    "NotProvided",
    "Op",
    "PutOp",
    "Result",
    "SearchItem",
    "SearchOp",
    "as_namespace",
]

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from penstock.publisher.codec.registry import register_type
from penstock.runtime.types.labels import Labels

Namespace: TypeAlias = tuple[str, ...]
"""A namespace, or a part of one, as callers may write it."""

Fields: TypeAlias = dict[str, Any]


def as_namespace(labels: Labels) -> Namespace:
    """Return a namespace as stores have it; what is no list of labels is left to their checks."""
    return tuple(labels) if isinstance(labels, list) else labels


@register_type
@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A stored value with its place and times; two with the same content are equal."""

    value: dict[str, Any]
    key: str
    namespace: Namespace
    created_at: datetime
    updated_at: datetime

    def __hash__(self) -> int:
        return hash((self.namespace, self.key))

    def dict(self) -> Fields:
        """Return the fields in types that JSON has; the value as it is."""
        return {
            "namespace": list(self.namespace),
            "key": self.key,
            "value": self.value,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


@register_type
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchItem(Item):
    """An item that a search found; `score` is its similarity to the query, None without one."""

    score: float | None = None

    def __hash__(self) -> int:
        return hash((self.namespace, self.key))

    def dict(self) -> Fields:
        """Return the fields in types that JSON has; the value as it is."""
        return {**Item.dict(self), "score": self.score}


class NotProvided:
    """Type of `NOT_PROVIDED`."""

    def __repr__(self) -> str:
        return "NOT_PROVIDED"


NOT_PROVIDED: Final = NotProvided()
"""An argument that was left out, where None means something."""


@register_type
@dataclass(frozen=True, slots=True)
class GetOp:
    """Get an item."""

    namespace: Namespace
    key: str
    refresh_ttl: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace", as_namespace(self.namespace))


@register_type
@dataclass(frozen=True, slots=True)
class SearchOp:
    """Find items of the namespaces under a prefix."""

    namespace_prefix: Namespace
    filter: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    query: str | None = None
    refresh_ttl: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace_prefix", as_namespace(self.namespace_prefix))


@register_type
@dataclass(frozen=True, slots=True)
class PutOp:
    """Store a value, or delete it if it is None; `ttl` in minutes, None for forever."""

    namespace: Namespace
    key: str
    value: dict[str, Any] | None
    index: Literal[False] | list[str] | None = None
    ttl: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "namespace", as_namespace(self.namespace))


@register_type
@dataclass(frozen=True, slots=True)
class MatchCondition:
    """What the first or the last labels of a namespace must be; "*" stands for any label."""

    match_type: Literal["prefix", "suffix"]
    path: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", as_namespace(self.path))


@register_type
@dataclass(frozen=True, slots=True)
class ListNamespacesOp:
    """List namespaces that meet all conditions."""

    match_conditions: tuple[MatchCondition, ...] | None = None
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


Op: TypeAlias = GetOp | SearchOp | PutOp | ListNamespacesOp
Result: TypeAlias = Item | list[Item] | list[SearchItem] | list[Namespace] | None
