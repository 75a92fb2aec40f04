"""Filters that handlers return: what the metadata of a thing has, if it is for a user."""

from __future__ import annotations

__all__ = ["Filter", "both", "kept_by", "read_filter", "with_filter"]

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from penstock.gateway.auth.failures import AuthHandlerError
from penstock.runtime.types.thread_record import contains

Filter: TypeAlias = Mapping[str, Any]
"""A part of metadata: a value for each name, or a list of what a list has. Empty: all things."""


def read_filter(given: Mapping[object, Any]) -> Filter:
    """Read what a handler returned.

    Raises:
        AuthHandlerError: it has an operator that is not known, or a value that cannot be compared.
    """
    return {_name(name): _wanted(name, value) for name, value in given.items()}


def both(wanted: Mapping[str, Any], own: Filter) -> Mapping[str, Any] | None:
    """Return the part of metadata that has all of two parts; None if nothing can have both."""
    found = dict(wanted)
    for name, value in own.items():
        if name not in wanted:
            found[name] = value
            continue
        before: Any = wanted[name]
        if isinstance(before, list) and isinstance(value, list):
            found[name] = [*cast("list[object]", before), *cast("list[object]", value)]
        elif not contains(before, value) or isinstance(before, Mapping):
            return None
    return found


def with_filter(metadata: Mapping[str, Any], own: Filter) -> dict[str, Any]:
    """Return metadata that a filter admits: what it wants is put in the place of what is there."""
    return {**metadata, **{name: _merged(metadata.get(name), own[name]) for name in own}}


def kept_by(own: Filter, change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a change of metadata after which a filter that admitted it admits it still."""
    kept = {name: value for name, value in own.items() if name in change}
    return with_filter(change, kept)


def _merged(before: Any, wanted: Any) -> Any:
    if not isinstance(wanted, list):
        return wanted
    members = list(cast("list[object]", before)) if isinstance(before, list) else []
    missing = [each for each in cast("list[object]", wanted) if not contains(members, [each])]
    return members + missing


def _name(name: Any) -> str:
    if not isinstance(name, str) or name.startswith("$"):
        raise AuthHandlerError(f"a filter has names of metadata, not {name!r}.")
    return name


def _wanted(name: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _scalar(name, value)
    operators = cast("Mapping[object, Any]", value)
    if len(operators) != 1:
        raise AuthHandlerError(f"the filter of {name!r} has one of $eq and $contains: {value!r}.")
    ((operator, operand),) = operators.items()
    if operator not in _OPERATORS:
        raise AuthHandlerError(f"the filter of {name!r} has an unknown operator: {operator!r}.")
    return _OPERATORS[operator](name, operand)


def _scalar(name: Any, value: Any) -> Any:
    if not isinstance(value, str | int | float):
        raise AuthHandlerError(
            f"the filter of {name!r} is compared with a text or a number, not with {value!r}."
        )
    return value


def _members(name: Any, value: Any) -> list[Any]:
    several = cast("Sequence[Any]", value if isinstance(value, list | tuple) else (value,))
    if not several:
        raise AuthHandlerError(f"the filter of {name!r} contains nothing: leave it out for all.")
    return [_scalar(name, each) for each in several]


_OPERATORS: Final[Mapping[Any, Callable[[Any, Any], Any]]] = {
    "$eq": _scalar,
    "$contains": _members,
}
