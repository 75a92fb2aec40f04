"""Nodes of a LangGraph graph that one run is to stop at, as its config has them."""

from __future__ import annotations

__all__ = ["Nodes", "check_no_breakpoints", "nodes_in", "with_breakpoints", "without_breakpoints"]

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from penstock.runtime.errors import ConfigurationError

Nodes: TypeAlias = Literal["*"] | Sequence[str]
"""Names of nodes, or all."""

_NAMES: Final = ("interrupt_before", "interrupt_after")


def with_breakpoints(
    config: Mapping[str, Any], before: Nodes | None, after: Nodes | None
) -> Mapping[str, Any]:
    """Return a config that says where a run is to stop.

    Raises:
        ConfigurationError: they are no names of nodes.
    """
    given = zip(_NAMES, (before, after), strict=True)
    found = {name: _checked(name, nodes) for name, nodes in given if nodes is not None}
    return {**config, **found} if found else config


def nodes_in(config: Mapping[str, Any]) -> Mapping[str, Nodes]:
    """Return the nodes that a config names, by `interrupt_before` and `interrupt_after`."""
    return {name: config[name] for name in _NAMES if name in config}


def without_breakpoints(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config that names no nodes."""
    return {name: value for name, value in config.items() if name not in _NAMES}


def check_no_breakpoints(entrypoint: str, config: Mapping[str, Any]) -> None:
    """Refuse nodes where there are none.

    Raises:
        ConfigurationError: the config names some.
    """
    for name in nodes_in(config):
        raise ConfigurationError(
            f"entrypoint {entrypoint!r} is no graph, and has no nodes to stop at: leave out "
            f"{name}; interrupt(...) stops a function."
        )


def _checked(name: str, nodes: Nodes) -> Nodes:
    given: Any = nodes
    if given == "*":
        return "*"
    if isinstance(given, str) or not all(isinstance(node, str) for node in given):
        raise ConfigurationError(
            f'{name} is a list of names of nodes, or "*" for all, not {given!r}.'
        )
    return list(nodes)
