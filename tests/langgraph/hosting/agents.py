"""Graphs that workers of tests execute; each node notes that it is executed, in Redis."""

from __future__ import annotations

import operator
import os
import signal
import time
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast

import redis
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import CachePolicy, interrupt

from tests.langgraph.graphs import Graph, of

EXECUTED = "executed"
"""The list of the names of nodes, as they begin."""


class State(TypedDict):
    log: Annotated[list[str], operator.add]


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(os.environ["PENSTOCK_REDIS_URL"])


def note(name: str) -> int:
    """Note that a node begins; returns how often it has begun."""
    _client().rpush(EXECUTED, name)
    return executed(_client()).count(name)


def executed(client: redis.Redis) -> list[str]:
    """Return the names of the nodes that have begun, in that order."""
    return [name.decode() for name in cast("list[bytes]", client.lrange(EXECUTED, 0, -1))]


def node(name: str) -> Any:
    def work(_: State) -> dict[str, Any]:
        note(name)
        return {"log": [name]}

    return of(work)


def ask(_: State) -> dict[str, Any]:
    note("ask")
    return {"log": [f"{interrupt('first?')} {interrupt('second?')}"]}


def _talk() -> Graph:
    """A superstep of one node, one of two, two questions in a subgraph, and an end."""
    inner: Graph = StateGraph(State)
    inner.add_node("think", node("think"))
    inner.add_node("ask", ask)
    inner.add_edge(START, "think")
    inner.add_edge("think", "ask")
    builder: Graph = StateGraph(State)
    for name in ("begin", "left", "right", "end"):
        builder.add_node(name, node(name))
    builder.add_node("sub", inner.compile())
    builder.add_edge(START, "begin")
    builder.add_edge("begin", "left")
    builder.add_edge("begin", "right")
    builder.add_edge(["left", "right"], "sub")
    builder.add_edge("sub", "end")
    return builder.compile()


def deadly(_: State) -> dict[str, Any]:
    """Kill the process, the first time."""
    if note("deadly") == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"log": ["deadly"]}


def _mid_node() -> Graph:
    builder: Graph = StateGraph(State)
    builder.add_node("first", node("first"))
    builder.add_node("deadly", of(deadly))
    builder.add_node("last", node("last"))
    builder.add_edge(START, "first")
    builder.add_edge("first", "deadly")
    builder.add_edge("deadly", "last")
    return builder.compile()


def _await_stored(text: str) -> None:
    """Wait until an event of the run has a text."""
    run_id = get_config().get("metadata", {})["run_id"]
    events = f"penstock:events:{run_id}"
    while not any(text.encode() in item for item in _items(events)):
        time.sleep(0.01)


def _items(name: str) -> list[bytes]:
    return cast("list[bytes]", _client().lrange(name, 0, -1))


def speak(_: State) -> dict[str, Any]:
    """Say three words; the first time, the process is killed after two of them."""
    is_first = note("speak") == 1
    write = get_stream_writer()
    for number, word in enumerate(("one", "two", "three")):
        if is_first and number == 2:
            _await_stored('"two"')
            os.kill(os.getpid(), signal.SIGKILL)
        write(word)
    return {"log": ["spoke"]}


def slow(_: State) -> dict[str, Any]:
    """Wait until the test says that it may go on."""
    note("slow")
    while not Path(os.environ["GO_ON"]).exists():
        time.sleep(0.02)
    return {"log": ["slow"]}


async def patient(_: State) -> dict[str, Any]:
    """Wait on the loop, for ever."""
    import asyncio

    note("patient")
    await asyncio.sleep(3600)
    return {"log": ["patient"]}


def _one_then(function: Any, name: str) -> Graph:
    builder: Graph = StateGraph(State)
    builder.add_node("first", node("first"))
    builder.add_node(name, of(function))
    builder.add_node("last", node("last"))
    builder.add_edge(START, "first")
    builder.add_edge("first", name)
    builder.add_edge(name, "last")
    return builder.compile()


talk = _talk()
asking = _one_then(ask, "ask")
speaker = _one_then(speak, "speak")
mid_node = _mid_node()
slowly = _one_then(slow, "slow")
patiently = _one_then(patient, "patient")


async def remember(state: State, *, store: BaseStore) -> dict[str, Any]:
    """Put something into the store, and look for it, on the loop."""
    await store.aput(("words",), "last", {"word": state["log"][-1]})
    found = await store.asearch(("words",))
    return {"log": [item.value["word"] for item in found]}


def recall(_: State, *, store: BaseStore) -> dict[str, Any]:
    """Get it in a thread."""
    item = store.get(("words",), "last")
    note("recall")
    return {"log": [item.value["word"] if item is not None else "nothing"]}


def _storing() -> Graph:
    builder: Graph = StateGraph(State)
    builder.add_node("remember", remember)
    builder.add_node("recall", recall, cache_policy=CachePolicy(key_func=_same))
    builder.add_edge(START, "remember")
    builder.add_edge("remember", "recall")
    return builder.compile()


def _same(*_: Any) -> str:
    return "same"


storing = _storing()
