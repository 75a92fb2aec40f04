"""Breakpoints: the points at which a graph stops until somebody lets it go on.

Any call of a graph that goes on passes the breakpoints of its newest points. So they are looked for
before a call as well as after it: a process may have died between.
"""

from __future__ import annotations

__all__ = ["Breakpoint", "breakpoints_of", "given_breakpoints", "has_breakpoints"]

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from penstock.langgraph.hosting.graph import Graph, graph_of
from penstock.langgraph.redis.channels import INTERRUPT
from penstock.langgraph.redis.namespace import nodes_of, place_of
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.breakpoints import Nodes, nodes_in


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A point at which a graph, or a subgraph, stops."""

    namespace: str
    point_id: str
    before: Sequence[str] = ()
    after: Sequence[str] = ()

    @property
    def id(self) -> str:
        """What it is released by, as a question is answered."""
        text = f"breakpoint\n{self.namespace}\n{self.point_id}"
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()

    @property
    def place(self) -> str:
        """The names of the subgraphs that lead to it, for people; "" for the graph's own."""
        return place_of(self.namespace)

    @property
    def value(self) -> Mapping[str, Sequence[str]]:
        """What is shown of it: the nodes that it is in front of, or behind."""
        told = {"before": list(self.before), "after": list(self.after)}
        return {name: nodes for name, nodes in told.items() if nodes}


def given_breakpoints(graph: Graph, name: str, config: Mapping[str, Any]) -> Mapping[str, Nodes]:
    """Return the breakpoints that one run is given, by the attributes that graphs have for them.

    Raises:
        ConfigurationError: the graph has no such node.
    """
    given = nodes_in(config)
    for option, nodes in given.items():
        for node in nodes if nodes != "*" else ():
            if node not in graph.nodes:
                names = ", ".join(name for name in graph.nodes if not name.startswith("__"))
                raise ConfigurationError(
                    f"{option}: graph {name!r} has no node {node!r}; it has {names}."
                )
    return {f"{option}_nodes": nodes for option, nodes in given.items()}


def has_breakpoints(graph: Graph) -> bool:
    """Tell whether a graph, or one of its subgraphs, has breakpoints."""
    graphs = _graphs(graph).values()
    return any(each.interrupt_before_nodes or each.interrupt_after_nodes for each in graphs)


async def breakpoints_of(graph: Graph, config: RunnableConfig) -> Sequence[Breakpoint]:
    """Return the breakpoints that a graph is at, with those of its subgraphs that are at work."""
    graphs = _graphs(graph)
    snapshot = await graph.aget_state(config, subgraphs=True)
    return [found async for found in _below(graph, graphs, snapshot)]


def _graphs(graph: Graph) -> Mapping[str, Graph]:
    """Return a graph, and its subgraphs by the names of the nodes that lead to them."""
    below = {name: graph_of(each) for name, each in graph.get_subgraphs(recurse=True)}
    return {"": graph, **{name: each for name, each in below.items() if each is not None}}


async def _below(
    root: Graph, graphs: Mapping[str, Graph], snapshot: StateSnapshot
) -> AsyncIterator[Breakpoint]:
    configurable: Mapping[str, Any] = snapshot.config.get("configurable", {})
    namespace = str(configurable.get("checkpoint_ns") or "")
    point_id, graph = configurable.get("checkpoint_id"), graphs.get(nodes_of(namespace))
    if point_id and graph is not None and await _is_new(root, snapshot.config):
        before = _among(graph.interrupt_before_nodes, snapshot.next)
        after: Sequence[str] = ()
        if graph.interrupt_after_nodes:
            after = _among(graph.interrupt_after_nodes, await _done(root, snapshot))
        if before or after:
            yield Breakpoint(namespace, point_id, before, after)
    for task in snapshot.tasks:
        if isinstance(task.state, StateSnapshot):
            async for found in _below(root, graphs, task.state):
                yield found


def _among(nodes: Any, names: Collection[str]) -> Sequence[str]:
    if nodes == "*":
        return list(names)
    return [name for name in names if name in nodes]


async def _is_new(root: Graph, config: RunnableConfig) -> bool:
    """Tell whether a point has anything that came after the last breakpoint that was passed."""
    found = await root.checkpointer.aget_tuple(config)
    if found is None:
        return False
    seen = found.checkpoint["versions_seen"].get(INTERRUPT, {})
    versions = found.checkpoint["channel_versions"]
    return any(version > seen.get(channel, "") for channel, version in versions.items())


async def _done(root: Graph, snapshot: StateSnapshot) -> Collection[str]:
    """Return the names of the tasks whose superstep has made a point."""
    if snapshot.parent_config is None or (snapshot.metadata or {}).get("source") != "loop":
        return ()
    before = await root.aget_state(snapshot.parent_config)
    return [task.name for task in before.tasks]
