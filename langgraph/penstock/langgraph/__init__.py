"""LangGraph's state in Redis: a checkpointer, a store and a cache for graphs of `langgraph`."""

from penstock.langgraph.cache import PenstockCache
from penstock.langgraph.saver import PenstockSaver
from penstock.langgraph.store import PenstockStore

__all__ = ["PenstockCache", "PenstockSaver", "PenstockStore"]
