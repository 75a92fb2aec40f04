"""The tasks of a graph that a worker executes, as steps of its run."""

from __future__ import annotations

__all__ = ["as_step"]

from collections.abc import Mapping
from typing import Any

from penstock.runtime.streaming.graph_chunks import GRAPH


def as_step(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event of a graph as that of a step, where it says that a task begins or ends."""
    data = event["data"]
    if event["mode"] != GRAPH or data["mode"] != "tasks" or data["chunk"] is None:
        return event
    task: Mapping[str, Any] = data["chunk"]
    told: dict[str, Any] = {"id": "/".join((*event.get("ns", ()), f"{task['name']}:{task['id']}"))}
    if data["type"] == "task":
        return {**event, "mode": "step.started", "data": told}
    if task["interrupts"]:
        return {**event, "mode": "step.interrupted", "data": told}
    outcome = {"value": None} if task["error"] is None else {"error": _error(str(task["error"]))}
    return {**event, "mode": "step.finished", "data": {**told, "outcome": outcome}}


def _error(text: str) -> Mapping[str, str]:
    """Return the type and the message of an error that is kept as its repr."""
    kind, _, message = text.partition("(")
    return {"type": kind, "message": message.removesuffix(")").strip("'\"")}
