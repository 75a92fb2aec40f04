"""An entrypoint as a graph, for tools that show LangGraph's graphs."""

from __future__ import annotations

__all__ = ["Edge", "Graph", "Node", "graph_of"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

START: Final = "__start__"
END: Final = "__end__"

_ESCAPES: Final = str.maketrans({"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;"})
"""What has a meaning inside of a Mermaid label."""


@dataclass(frozen=True, slots=True)
class Node:
    """The start, the body or the end; `data` of the body is the entrypoint."""

    id: str
    name: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge from one node to another, by their ids."""

    source: str
    target: str
    data: str | None = None
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, by id, and the edges between them."""

    nodes: Mapping[str, Node]
    edges: Sequence[Edge]

    def first_node(self) -> Node | None:
        """Return the node that no edge leads to, None if there are several or none."""
        return self._only({edge.target for edge in self.edges})

    def last_node(self) -> Node | None:
        """Return the node that no edge leaves, None if there are several or none."""
        return self._only({edge.source for edge in self.edges})

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return the graph as JSON: `nodes` and `edges`, as lists of dicts."""
        return {
            "nodes": [_node(node) for node in self.nodes.values()],
            "edges": [_edge(edge) for edge in self.edges],
        }

    def draw_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart; a conditional edge is dotted."""
        # Names may have any sign, and some words are Mermaid's own: so nodes are n0, n1, ...
        short = {name: f"n{number}" for number, name in enumerate(self.nodes)}
        lines = ["graph TD"]
        for name, node in self.nodes.items():
            before, after = ("[", "]") if node.data is not None else ("([", "])")
            label = node.name.translate(_ESCAPES)
            lines.append(f'    {short[name]}{before}"{label}"{after}')
        for edge in self.edges:
            arrow = "-.->" if edge.conditional else "-->"
            label = f'|"{edge.data.translate(_ESCAPES)}"|' if edge.data else ""
            lines.append(f"    {short[edge.source]} {arrow}{label} {short[edge.target]}")
        return "\n".join(lines) + "\n"

    def _only(self, others: set[str]) -> Node | None:
        found = [node for name, node in self.nodes.items() if name not in others]
        return found[0] if len(found) == 1 else None


def graph_of(name: str, entrypoint: Any) -> Graph:
    """Return the graph of an entrypoint of that name: start, body, end."""
    nodes = (Node(START, START), Node(name, name, entrypoint), Node(END, END))
    return Graph({node.id: node for node in nodes}, [Edge(START, name), Edge(name, END)])


def _node(node: Node) -> dict[str, Any]:
    if node.data is None:
        return {"id": node.id}
    place = [*node.data.__module__.split("."), getattr(node.data, "__qualname__", node.name)]
    return {"id": node.id, "type": "runnable", "data": {"id": place, "name": node.name}}


def _edge(edge: Edge) -> dict[str, Any]:
    data: dict[str, Any] = {"source": edge.source, "target": edge.target}
    if edge.data is not None:
        data["data"] = edge.data
    if edge.conditional:
        data["conditional"] = True
    return data
