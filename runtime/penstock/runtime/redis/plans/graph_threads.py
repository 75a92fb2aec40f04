"""Threads that LangGraph graphs are executed on: `penstock.langgraph` reads what they have."""

from __future__ import annotations

__all__ = ["GraphThreads", "graph_threads"]

import importlib
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.settings import Settings
from penstock.runtime.types.state import CheckpointRef, StateSnapshot

_PLACE: Final = "penstock.langgraph.redis.plans.states"


class GraphThreads(Protocol):
    """The plans that read and copy the state of such threads."""

    def state(self, ref: CheckpointRef, *, subgraphs: bool = False) -> Plan[StateSnapshot | None]:
        """Return a state; None if there is none."""
        ...

    def history(
        self, ref: CheckpointRef, wanted: Mapping[str, Any], limit: int | None = None
    ) -> Plan[tuple[list[StateSnapshot], str]]:
        """Read at most so many states; also returns before which point the next page is."""
        ...

    def copy(self, source: str, target: str, nonce: str) -> Plan[None]:
        """Give a thread all that another one has."""
        ...

    def keep_latest(self, thread_id: str) -> Plan[bool]:
        """Delete the states of a thread but its newest, and what that needs.

        Tells whether no run was open on it: a run may have to be rolled back.
        """
        ...

    def delete(self, thread_id: str) -> Plan[None]:
        """Delete the state of a thread."""
        ...


def graph_threads(settings: Settings) -> GraphThreads:
    """Return the plans, which need neither LangGraph nor the code of the graph.

    Raises:
        ConfigurationError: the package that LangGraph's form of values is read with is missing.
    """
    try:
        module = importlib.import_module(_PLACE)
    except ImportError as error:
        raise ConfigurationError(
            "the state of a LangGraph graph is read with the package ormsgpack: install it, or "
            "penstock[langgraph]."
        ) from error
    return cast(GraphThreads, module.GraphStates(settings))
