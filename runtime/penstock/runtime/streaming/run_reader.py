"""What the chunks of a run are made with: its entrypoint, thread, config and messages."""

from __future__ import annotations

__all__ = ["RunReader"]

from collections.abc import Mapping
from typing import Any

from penstock.runtime.streaming.messages import Messages


class RunReader:
    """One run as a stream reads it."""

    def __init__(self, entrypoint: str, thread_id: str, config: Mapping[str, Any]) -> None:
        self.thread_id = thread_id
        self.told = _told(config)
        """What the begin of a step tells of the run's config."""
        self.messages = Messages(entrypoint, config)

    @property
    def entrypoint(self) -> str:
        """The name of the run's entrypoint."""
        return self.messages.entrypoint

    def begin(self, data: Mapping[str, Any]) -> None:
        """Take note of what the event `run.started` says."""
        self.messages.entrypoint = data["name"]
        checkpoint: Mapping[str, Any] = data.get("checkpoint") or {}
        self.messages.step = checkpoint.get("step", -1) + 1


def _told(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the begin of a step tells of its run, for whoever gave it a config."""
    told = dict(config.get("metadata") or {})
    if config.get("tags"):
        told["tags"] = list(config["tags"])
    return {"metadata": told} if told else {}
