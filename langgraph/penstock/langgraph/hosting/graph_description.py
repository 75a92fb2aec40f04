"""Describes a graph for clients that have not its code."""

from __future__ import annotations

__all__ = ["graph_description"]

from collections.abc import Mapping
from typing import Any

from penstock.langgraph.hosting.graph import Graph
from penstock.langgraph.hosting.input_schema import input_schema
from penstock.runtime.executor.describing import tried


def graph_description(graph: Graph) -> Mapping[str, Any]:
    """Return its schemas and drawings; what cannot be made of its types is None, or left out."""
    whole: Any = graph
    return {
        "schemas": _schemas(whole),
        "drawing": tried(lambda: whole.get_graph().to_json()) or {},
        "deep_drawing": tried(lambda: whole.get_graph(xray=True).to_json()) or {},
        "subgraphs": tried(
            lambda: {name: _schemas(each) for name, each in whole.get_subgraphs(recurse=True)}
        )
        or {},
    }


def _schemas(graph: Any) -> dict[str, Any]:
    return {
        "input": tried(lambda: input_schema(graph)),
        "output": tried(graph.get_output_jsonschema),
        "state": tried(lambda: _state_schema(graph)),
        "context": tried(graph.get_context_jsonschema),
    }


def _state_schema(graph: Any) -> Any:
    """Return the schema of all channels that have names."""
    schema: Any = graph.get_output_jsonschema()
    inner = graph.get_input_jsonschema()
    if "properties" not in schema or "properties" not in inner:
        return schema
    defs = {**inner.get("$defs", {}), **schema.get("$defs", {})}
    properties = {**inner["properties"], **schema["properties"]}
    found = {**schema, "properties": properties}
    return {**found, "$defs": defs} if defs else found
