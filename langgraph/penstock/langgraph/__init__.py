"""LangGraph on workers and its state in Redis: hosted graphs, a checkpointer, a store, a cache."""

from penstock.langgraph.cache import PenstockCache
from penstock.langgraph.hosting.hosted_graph import host
from penstock.langgraph.revive import revive
from penstock.langgraph.saver import PenstockSaver
from penstock.langgraph.store import PenstockStore

__all__ = ["PenstockCache", "PenstockSaver", "PenstockStore", "host", "revive"]
