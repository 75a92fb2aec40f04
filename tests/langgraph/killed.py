"""Runs a graph in a process that kills itself: `python -m tests.langgraph.killed URL CALL WHEN`.

It dies before or after the n-th call that stores something.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import redis
from langgraph.graph import START, StateGraph

from penstock.langgraph import PenstockSaver
from tests.langgraph.graphs import Graph, Log, of

THREAD: Any = {"configurable": {"thread_id": "t"}}
INPUT = {"log": ["begin"]}


class Mortal(PenstockSaver):
    """Kills its process around one of its calls."""

    def __init__(self, url: str, call: int, when: str) -> None:
        super().__init__(url)
        self._left = call
        self._when = when
        self._lock = threading.Lock()

    def put(self, *args: Any, **options: Any) -> Any:
        with self._lock:
            self._count("before")
            at = super().put(*args, **options)
            self._count("after")
            return at

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        with self._lock:
            self._count("before")
            super().put_writes(config, writes, task_id, task_path)
            self._count("after")

    def _count(self, when: str) -> None:
        if when == self._when:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def graph(saver: PenstockSaver, url: str) -> Graph:
    """Return a graph of two supersteps, each of two nodes, which notes what it executes."""
    client = redis.Redis.from_url(url)
    builder: Graph = StateGraph(Log)

    def add(name: str) -> None:
        def node(_: Log) -> dict[str, Any]:
            client.rpush("executed", name)
            return {"log": [name]}

        builder.add_node(name, of(node))

    for side in ("left", "right"):
        add(side)
        add(f"{side} again")
        builder.add_edge(START, side)
        builder.add_edge(side, f"{side} again")
    return builder.compile(checkpointer=saver)


if __name__ == "__main__":
    address, number, moment = sys.argv[1:]
    graph(Mortal(address, int(number), moment), address).invoke(INPUT, THREAD)
