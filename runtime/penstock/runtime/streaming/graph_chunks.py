"""What a graph that a worker executes has streamed, as readers of its run get it."""

from __future__ import annotations

__all__ = ["GRAPH", "WORDS", "graph_chunks"]

from collections.abc import Iterator, Mapping
from typing import Any, Final

from penstock.runtime.streaming.chunks import INTERRUPT, Namespace
from penstock.runtime.types.interrupt import Interrupt

GRAPH: Final = "graph"
"""The mode of facts that hold a chunk of a graph."""

WORDS: Final = ("custom", "messages")
"""The modes whose chunks a task says; those of the others are of the graph, or of a subgraph."""


def graph_chunks(data: Mapping[str, Any], namespace: Namespace) -> Iterator[tuple[bool, str, Any]]:
    """Give what is seen of a fact: whether a subgraph says it, stream mode, and payload.

    `data` has `mode`, `chunk` as the graph gave it, and of tasks and checkpoints `step`.
    """
    mode, chunk = data["mode"], data["chunk"]
    depth = 1 if mode in WORDS else 0
    is_below = len(namespace) > depth
    yield is_below, mode, _shown(mode, chunk)
    if "step" in data:
        yield is_below, "debug", {"step": data["step"], "type": data["type"], "payload": chunk}


def _shown(mode: str, chunk: Any) -> Any:
    if mode == "messages":
        return tuple(chunk)
    fields: Any = chunk
    if not isinstance(chunk, dict) or mode not in ("updates", "values") or INTERRUPT not in fields:
        return fields
    asked = tuple(
        Interrupt(each["value"], each["id"], each.get("response_schema"))
        for each in fields[INTERRUPT]
    )
    return {**fields, INTERRUPT: asked}
