"""Which graphs of an app are entrypoints, and by which names."""

from __future__ import annotations

__all__ = ["hosted_graphs"]

import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.langgraph.hosting.app_types import app_types
from penstock.langgraph.hosting.graph import graph_of
from penstock.langgraph.hosting.graph_settings import load_graph_settings
from penstock.langgraph.hosting.hosted_graph import HostedGraph, host
from penstock.runtime.errors import ConfigurationError

OLDEST: Final = (1, 2, 22)
"""Before it nobody but the caller of a graph hears the messages of its models."""

_OBJECT: Final = re.compile(r":[\w.]+$")
"""The end of a source that names one object of a file or module."""


def hosted_graphs(
    found: Sequence[tuple[str, str, Any, str, Mapping[str, Any]]],
) -> Sequence[HostedGraph]:
    """Return the graphs of an app as entrypoints.

    Each is given with its source, its variable, and the name and options of a langgraph.json. One
    that has no name of its own has that of its variable. One that `host(...)` was given is not
    taken once more by itself. The data classes of the app may be stored, and what the settings name
    (`GraphSettings`).

    Raises:
        ConfigurationError: two graphs have one name; something makes no graph; the LangGraph that
            is installed is too old.
    """
    _check_version(importlib.metadata.version("langgraph"))
    settings = load_graph_settings()
    own = app_types(_OBJECT.sub("", source) for source, *_ in found)
    hosted: dict[str, HostedGraph] = {}
    places: dict[str, str] = {}
    taken: list[Any] = []
    for source, variable, value, key, options in sorted(
        found, key=lambda each: not isinstance(each[2], HostedGraph)
    ):
        if any(value is graph for graph in taken) and not key:
            continue
        each = value if isinstance(value, HostedGraph) else host(value, name=key)
        each = each.named(variable).configured(**options)
        each = each.configured(settings.allowed(), modes=settings.modes).configured(own)
        taken.append(each.graph if graph_of(value) is None else value)
        place = f"{source.removesuffix(f':{variable}')}:{variable}"
        other = hosted.setdefault(each.name, each)
        if other is not each:
            raise ConfigurationError(
                f"two graphs are named {each.name!r}: {places[each.name]} and {place}; give one "
                "another name, as with penstock.langgraph.host(graph, name=...)."
            )
        places[each.name] = place
    return list(hosted.values())


def _check_version(version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ConfigurationError(
            f"workers execute graphs of LangGraph {oldest} and later, and {version} is installed: "
            f"pip install 'langgraph>={oldest},<2'"
        )
