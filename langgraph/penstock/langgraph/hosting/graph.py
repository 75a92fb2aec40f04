"""What a compiled graph of LangGraph's has, as far as it is used here."""

from __future__ import annotations

__all__ = ["Graph", "compiled", "graph_of"]

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot, StateUpdate


class Graph(Protocol):
    """A `Pregel`, whose own type has four parameters that matter to nobody here."""

    nodes: Mapping[str, Any]
    channels: Mapping[str, Any]
    config: RunnableConfig | None
    checkpointer: Any
    store: Any
    cache: Any
    cache_policy: Any
    output_channels: Any
    interrupt_before_nodes: Any
    interrupt_after_nodes: Any

    def copy(self, update: dict[str, Any]) -> Self:
        """Return the graph with other attributes."""
        ...

    def get_name(self) -> str:
        """Return its name."""
        ...

    def get_input_jsonschema(self) -> dict[str, Any]:
        """Return the JSON schema of its input."""
        ...

    def get_subgraphs(self, *, recurse: bool = False) -> Iterator[tuple[str, Any]]:
        """Give its subgraphs, each with the names of the nodes that lead to it."""
        ...

    async def aget_state(self, config: RunnableConfig, *, subgraphs: bool = False) -> StateSnapshot:
        """Return its state."""
        ...

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[StateUpdate]]
    ) -> RunnableConfig:
        """Change its state; returns the config of the last checkpoint that this makes."""
        ...

    def astream(self, input: Any, config: RunnableConfig, **options: Any) -> AsyncGenerator[Any]:
        """Run it, and give the chunks of stream modes."""
        ...


def graph_of(value: object) -> Graph | None:
    """Return a value as a graph, None if it is none."""
    return cast(Graph, value) if isinstance(value, Pregel) else None


def compiled(value: object) -> Graph | None:
    """Return a graph as it is, a builder as the graph that it builds; None for all else."""
    if isinstance(value, StateGraph):
        return cast(Graph, cast(Any, value).compile())
    return graph_of(value)
