"""LangGraph graphs of an app, which `penstock.langgraph` makes entrypoints of."""

from __future__ import annotations

__all__ = ["hosted_graphs", "is_graph", "makes_graphs"]

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.hosted import Hosted

_DISCOVERY: Final = "penstock.langgraph.hosting.discovery"


def is_graph(value: object) -> bool:
    """Tell whether a value is a compiled graph of LangGraph's, which need not be installed."""
    return any(
        each.__name__ == "Pregel" and each.__module__.startswith("langgraph.")
        for each in type(value).__mro__
    )


def makes_graphs(value: object) -> bool:
    """Tell whether a value may make graphs: a builder, or a function."""
    is_builder = any(
        each.__name__ == "StateGraph" and each.__module__.startswith("langgraph.")
        for each in type(value).__mro__
    )
    return is_builder or (callable(value) and not isinstance(value, type))


def hosted_graphs(
    found: Sequence[tuple[str, str, Any, str, Mapping[str, Any]]],
) -> Sequence[Hosted]:
    """Return the graphs of an app as entrypoints.

    Each is given with its source, its variable, a name that goes before its own, or "", and
    options: types that may be stored, and those of the store that graphs without one get.

    Raises:
        ConfigurationError: the extra `langgraph` is not installed, or a graph cannot be hosted.
    """
    try:
        discovery = importlib.import_module(_DISCOVERY)
    except ImportError as error:
        source, name, *_ = found[0]
        source = source if source.endswith(f":{name}") else f"{source}:{name}"
        raise ConfigurationError(
            f"{source} is a LangGraph graph; install penstock[langgraph]."
        ) from error
    return cast("Sequence[Hosted]", discovery.hosted_graphs(found))
