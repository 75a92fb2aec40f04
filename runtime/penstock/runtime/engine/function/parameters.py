"""Parameters that a run fills in: `config`, `writer`, `store`, `previous`, `runtime`."""

from __future__ import annotations

__all__ = ["injectable"]

import inspect
import re
import types
import typing
import warnings
from collections.abc import Callable
from typing import Any, Final, get_args, get_origin

_ANY: Final = frozenset({"Any", "object", "None", "NoneType", "Optional", "Union", "typing"})

_NAMES: Final[dict[str, frozenset[str] | None]] = {
    "config": _ANY | {"RunnableConfig", "Config", "Mapping"},
    "writer": _ANY | {"StreamWriter", "Callable"},
    "store": _ANY | {"BaseStore", "Store", "InMemoryStore", "RedisStore"},
    "previous": None,
    "runtime": None,
}
"""The parameters, and the names of types that their annotations may be made of; None: of any."""


def injectable(function: Callable[..., Any]) -> tuple[tuple[str, int], ...]:
    """Return name and position of the parameters that a run fills in; -1 if keyword-only.

    Warns of a `config` whose annotation says that it is something else.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    found: list[tuple[str, int]] = []
    for position, parameter in enumerate(parameters):
        if parameter.name not in _NAMES or parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            continue
        if _is_ours(parameter):
            keyword_only = parameter.kind is parameter.KEYWORD_ONLY
            found.append((parameter.name, -1 if keyword_only else position))
    return tuple(found)


def _is_ours(parameter: inspect.Parameter) -> bool:
    """Tell whether a parameter of one of the names is also annotated as what a run fills in."""
    allowed = _NAMES[parameter.name]
    if allowed is None or parameter.annotation is parameter.empty:
        return True
    if _type_names(parameter.annotation) <= allowed:
        return True
    if parameter.name == "config":
        warnings.warn(
            f"parameter 'config' is annotated as {parameter.annotation!r}, so it is not filled in: "
            "annotate it as RunnableConfig, or call it something else.",
            UserWarning,
            stacklevel=2,
        )
    return False


def _type_names(annotation: Any) -> frozenset[str]:
    """Return the names that an annotation is made of; of a generic type only its own."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        outer = re.sub(r"(Callable|Mapping)\[.*\]", r"\1", annotation)
        return frozenset(re.findall(r"[A-Za-z_]\w*(?!\w*\.)", outer))
    if annotation is None or annotation is Any:
        return frozenset({"None"})
    origin = get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return frozenset(name for each in get_args(annotation) for name in _type_names(each))
    named: Any = origin or annotation
    return frozenset({getattr(named, "__name__", str(named))})
