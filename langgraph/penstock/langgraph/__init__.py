"""LangGraph on workers and its state in Redis: hosted graphs, a checkpointer, a store, a cache."""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from penstock.langgraph.cache import PenstockCache
    from penstock.langgraph.hosting.hosted_graph import host
    from penstock.langgraph.messages import revive
    from penstock.langgraph.saver import PenstockSaver
    from penstock.langgraph.stable_id import step_id
    from penstock.langgraph.store import PenstockStore

__all__ = ["PenstockCache", "PenstockSaver", "PenstockStore", "host", "revive", "step_id"]

_PLACES: Final = {
    "PenstockCache": "cache",
    "PenstockSaver": "saver",
    "PenstockStore": "store",
    "host": "hosting.hosted_graph",
    "revive": "messages",
    "step_id": "stable_id",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: what reads the state of threads needs no LangGraph."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
