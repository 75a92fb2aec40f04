"""A graph as an entrypoint of workers."""

from __future__ import annotations

__all__ = ["HostedGraph", "host"]

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Self

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.store.memory import InMemoryStore

from penstock.langgraph.allow_list import Types
from penstock.langgraph.cache import PenstockCache
from penstock.langgraph.hosting.attempt import GraphAttempt
from penstock.langgraph.hosting.graph import Graph, graph_of
from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.serde import serializer_for
from penstock.langgraph.store import PenstockStore
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.hosted import Hosted, HostedRun
from penstock.runtime.journal.result import Result

logger = logging.getLogger(__name__)

UNNAMED: Final = "LangGraph"
"""The name of a graph that was given none."""


class HostedGraph(Hosted):
    """A graph whose runs are executed by workers: `host(graph, ...)` makes one."""

    def __init__(
        self,
        graph: Graph,
        *,
        name: str = "",
        types: Types = (),
        serde: SerializerProtocol | None = None,
    ) -> None:
        self.graph = graph
        own = graph.get_name()
        self.name = name or (own if own != UNNAMED else "")
        self._serde = serializer_for(types, serde)
        self._bound: dict[str, Any] = {}

    def named(self, name: str) -> Self:
        """Return the graph with that name, unless it has one of its own."""
        self.name = self.name or name
        return self

    def __repr__(self) -> str:
        return f"<graph {self.name!r}>"

    def input_schema(self) -> Mapping[str, Any]:
        """Return the JSON schema of its input."""
        return self.graph.get_input_jsonschema()

    async def run(self, run: HostedRun) -> Result:
        """Execute an attempt."""
        saver = RunSaver(run.journal, run.attempt.assignment.thread_id, run.settings, self._serde)
        graph = self.graph.copy({"checkpointer": saver, "name": self.name, **self._parts(run)})
        return await GraphAttempt(self.name, graph, saver, run).execute()

    def _parts(self, run: HostedRun) -> Mapping[str, Any]:
        """Return the store and the cache that the graph gets of this process."""
        if not self._bound:
            self._say_what_is_replaced()
            connection, settings = run.connection, run.settings
            if self.graph.store is None or isinstance(self.graph.store, InMemoryStore):
                self._bound["store"] = PenstockStore(connection, settings=settings)
            if self.graph.cache is None and self._is_cached:
                self._bound["cache"] = PenstockCache(
                    connection, serde=self._serde, settings=settings
                )
        return self._bound

    @cached_property
    def _is_cached(self) -> bool:
        nodes = self.graph.nodes.values()
        return any(node.cache_policy is not None for node in nodes) or bool(self.graph.cache_policy)

    def _say_what_is_replaced(self) -> None:
        given = self.graph.checkpointer
        if given is not None and not isinstance(given, bool):
            logger.info(
                "graph %r keeps its state in the Redis of its worker, not in its %s",
                self.name,
                type(given).__name__,
            )


def host(
    graph: object,
    *,
    name: str | None = None,
    types: Types = (),
    serde: SerializerProtocol | None = None,
) -> HostedGraph:
    """Make a graph an entrypoint of workers; what it returns can be enqueued.

    Without it, workers take each compiled graph at the top of a module, under its own name or that
    of its variable. `types` are the classes of your own that its state may hold, "any" for all;
    `serde` is a serializer in place of LangGraph's form.

    Raises:
        ConfigurationError: it is no compiled graph; both types and serde, or a class that cannot be
            read again.
    """
    found = graph_of(graph)
    if found is None:
        raise ConfigurationError(
            f"host(...) takes a compiled graph, as builder.compile() makes it, not {graph!r}."
        )
    return HostedGraph(found, name=name or "", types=types, serde=serde)
