"""The id of the task that is running, the same in each attempt of its run."""

from __future__ import annotations

__all__ = ["step_id"]

from typing import Any

from langgraph.config import get_config

from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.runtime.errors import OutsideRunError


def step_id() -> str:
    """Return the id of the running task of a graph on a worker: `sub:2/ask:3.0`.

    It is made of the names of its nodes, the numbers of their supersteps, and which of the tasks of
    that name it is. With the id of the run it is a key by which another system does something once,
    however often the node is executed; LangGraph's own ids of tasks change where a worker dies.

    Raises:
        OutsideRunError: no task is running here, or not on a worker, or one that streams do not
            show.
    """
    try:
        configurable: Any = get_config().get("configurable", {})
    except RuntimeError:
        raise OutsideRunError("step_id()") from None
    saver = configurable.get("__pregel_checkpointer")
    if not isinstance(saver, RunSaver):
        raise OutsideRunError("step_id()")
    found = saver.step_id(str(configurable["checkpoint_ns"]))
    if found is None:
        where = "in a task that has no name for people, such as one of an edge from START"
        raise OutsideRunError("step_id()", where)
    return found
