"""Which namespaces there may be, and which of them a listing is about."""

from __future__ import annotations

__all__ = ["InvalidNamespaceError", "Listing", "check_labels", "check_namespace"]

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from penstock.publisher.errors import PenstockError
from penstock.runtime.store.item import ListNamespacesOp, MatchCondition, Namespace

ANY = "*"
RESERVED = "langgraph"


class InvalidNamespaceError(PenstockError, ValueError):
    """A namespace is not a tuple of labels that a store takes."""


def check_labels(namespace: object, what: str = "a namespace") -> None:
    """Check that something is a tuple of strings.

    Raises:
        InvalidNamespaceError: it is not.
    """
    if not isinstance(namespace, tuple):
        raise InvalidNamespaceError(
            f'{what} is a tuple or a list of strings, as in ("users", "42"), not {namespace!r}.'
        )
    for label in cast("tuple[object, ...]", namespace):
        if not isinstance(label, str):
            raise InvalidNamespaceError(f"{what} has strings only, not {label!r} in {namespace!r}.")


def check_namespace(namespace: Namespace) -> None:
    """Check that values may be put in a namespace.

    Raises:
        InvalidNamespaceError: they may not.
    """
    check_labels(namespace)
    if not namespace:
        raise InvalidNamespaceError("a namespace has at least one label; this one is ().")
    for label in namespace:
        if not label:
            raise InvalidNamespaceError(
                f"a label of a namespace is not empty, as in {namespace!r}."
            )
        if "." in label:
            raise InvalidNamespaceError(
                f"a label of a namespace has no '.', as {label!r} in {namespace!r} has: "
                "make two labels of it."
            )
    if namespace[0] == RESERVED:
        raise InvalidNamespaceError(f"the first label of a namespace is not {RESERVED!r}.")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a `ListNamespacesOp` asks for."""

    conditions: tuple[MatchCondition, ...]
    max_depth: int | None

    @staticmethod
    def of(op: ListNamespacesOp) -> Listing:
        """Check an op.

        Raises:
            ValueError: a condition is of no known kind, or the depth is not positive.
        """
        conditions = tuple(op.match_conditions or ())
        for condition in conditions:
            if condition.match_type not in ("prefix", "suffix"):
                raise ValueError(
                    f'namespaces match by "prefix" or "suffix", not {condition.match_type!r}.'
                )
            check_labels(condition.path, f"a {condition.match_type}")
        if op.max_depth is not None and op.max_depth < 1:
            raise ValueError(f"max_depth is 1 or more, not {op.max_depth!r}.")
        return Listing(conditions, op.max_depth)

    @property
    def root(self) -> Namespace:
        """The longest namespace that all which match are under."""
        roots = [_literal(each.path) for each in self.conditions if each.match_type == "prefix"]
        return max(roots, key=len, default=())

    def select(self, namespaces: Iterable[Namespace]) -> Iterator[Namespace]:
        """Give those that match, cut to the depth; of sorted ones, each is given once."""
        last: Namespace | None = None
        for namespace in namespaces:
            if all(_meets(namespace, each) for each in self.conditions):
                cut = namespace[: self.max_depth]
                if cut != last:
                    yield cut
                last = cut


def _literal(path: Namespace) -> Namespace:
    return path[: path.index(ANY)] if ANY in path else path


def _meets(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    if len(path) > len(namespace):
        return False
    start = 0 if condition.match_type == "prefix" else len(namespace) - len(path)
    part = namespace[start : start + len(path)]
    return all(wanted in (ANY, label) for wanted, label in zip(path, part, strict=True))
