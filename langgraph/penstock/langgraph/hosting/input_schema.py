"""The JSON schema of a graph's input, with an example of a message."""

from __future__ import annotations

__all__ = ["input_schema"]

from collections.abc import Mapping
from typing import Any, Final

from penstock.langgraph.hosting.graph import Graph

MESSAGE: Final = {"role": "user", "content": "text"}
"""The form of a message that people write by hand; LangChain takes it as the objects it lists."""

_HUMAN: Final = {"$ref": "#/$defs/HumanMessage"}


def input_schema(graph: Graph) -> Mapping[str, Any]:
    """Return the schema as LangGraph makes it; lists of messages have an example."""
    schema = graph.get_input_jsonschema()
    for field in schema.get("properties", {}).values():
        items = field.get("items", {})
        if _HUMAN in items.get("oneOf", ()):
            field["items"] = {**items, "examples": [MESSAGE]}
    return schema
