"""Checkpoint namespaces: the tasks that lead to a subgraph, `<node>:<task id>` joined by `|`."""

from __future__ import annotations

__all__ = ["nodes_of", "place_of"]

import re
from typing import Final

_ID: Final = re.compile(r":[^|]*")


def nodes_of(namespace: str) -> str:
    """Return the names of the nodes, joined by `|`: the same for all tasks of these nodes."""
    return _ID.sub("", namespace)


def place_of(namespace: str) -> str:
    """Return the names of the nodes as people read them; "" for the graph's own."""
    return nodes_of(namespace).replace("|", "/")
