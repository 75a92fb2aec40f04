"""Filters of a search: conditions on the fields of a value, all of which must hold.

A condition is a value to be equal to, or a dict of operators: `{"age": {"$gte": 18, "$lt": 65}}`.
"""

from __future__ import annotations

__all__ = ["Matcher", "matcher"]

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

Matcher: TypeAlias = Callable[[Mapping[str, Any]], bool]

_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_KNOWN = ("$eq", "$ne", *_ORDER)


def matcher(filter: Mapping[str, Any] | None) -> Matcher | None:
    """Return the test that a filter is, None for one that everything passes.

    Raises:
        ValueError: an operator is not known, or compares with something that is no number.
    """
    if not filter:
        return None
    for condition in filter.values():
        _check(condition)
    conditions = dict(filter)

    def matches(value: Mapping[str, Any]) -> bool:
        return all(_meets(value.get(field), each) for field, each in conditions.items())

    return matches


def _check(condition: Any) -> None:
    inner: Iterable[Any] = ()
    if isinstance(condition, dict):
        tree = cast("Mapping[Any, Any]", condition)
        if _has_operators(tree):
            _check_operators(tree)
            return
        inner = tree.values()
    elif isinstance(condition, (list, tuple)):
        inner = cast("Sequence[Any]", condition)
    for each in inner:
        _check(each)


def _check_operators(tree: Mapping[Any, Any]) -> None:
    for name, operand in tree.items():
        if name not in _KNOWN:
            raise ValueError(f"unknown operator {name!r} in a filter; known: {', '.join(_KNOWN)}.")
        if name in _ORDER and _number(operand) is None:
            raise ValueError(f"{name} compares numbers, and {operand!r} is none.")


def _meets(value: Any, condition: Any) -> bool:
    if isinstance(condition, dict):
        tree = cast("Mapping[Any, Any]", condition)
        if _has_operators(tree):
            return all(_holds(name, value, operand) for name, operand in tree.items())
        if not isinstance(value, dict):
            return False
        fields = cast("Mapping[Any, Any]", value)
        return fields.keys() == tree.keys() and all(
            _meets(fields[name], each) for name, each in tree.items()
        )
    if isinstance(condition, (list, tuple)):
        if not isinstance(value, (list, tuple)):
            return False
        ours, theirs = cast("Sequence[Any]", value), cast("Sequence[Any]", condition)
        return len(ours) == len(theirs) and all(map(_meets, ours, theirs))
    return bool(value == condition)


def _holds(name: str, value: Any, operand: Any) -> bool:
    if name == "$eq":
        return bool(value == operand)
    if name == "$ne":
        return bool(value != operand)
    left, right = _number(value), _number(operand)
    return left is not None and right is not None and _ORDER[name](left, right)


def _has_operators(tree: Mapping[Any, Any]) -> bool:
    return any(isinstance(name, str) and name.startswith("$") for name in tree)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
