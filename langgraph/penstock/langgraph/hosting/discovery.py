"""Which graphs of an app are entrypoints, and by which names."""

from __future__ import annotations

__all__ = ["hosted_graphs"]

from collections.abc import Sequence
from typing import Any

from penstock.langgraph.hosting.graph import Graph, graph_of
from penstock.langgraph.hosting.hosted_graph import HostedGraph, host
from penstock.runtime.errors import ConfigurationError


def hosted_graphs(found: Sequence[tuple[str, str, Any]]) -> Sequence[HostedGraph]:
    """Return the graphs of an app as entrypoints; each is given with its source and variable.

    A graph that has no name of its own has that of its variable. One that `host(...)` was given is
    not taken once more by itself.

    Raises:
        ConfigurationError: two graphs have one name.
    """
    hosted: dict[str, HostedGraph] = {}
    places: dict[str, str] = {}
    taken: list[Graph] = []
    for source, variable, value in sorted(found, key=lambda each: graph_of(each[2]) is not None):
        if graph_of(value) is not None:
            if any(value is graph for graph in taken):
                continue
            value = host(value)
        value = value.named(variable)
        taken.append(value.graph)
        place = f"{source.removesuffix(f':{variable}')}:{variable}"
        other = hosted.setdefault(value.name, value)
        if other is not value:
            raise ConfigurationError(
                f"two graphs are named {value.name!r}: {places[value.name]} and {place}; give one "
                "another name, as with penstock.langgraph.host(graph, name=...)."
            )
        places[value.name] = place
    return list(hosted.values())
