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
        self.given = _metadata_of(config)
        """The part of the run's config that a chunk about the begin of a step holds."""
        self.messages = Messages(entrypoint, config)

    @property
    def entrypoint(self) -> str:
        """The name of the run's entrypoint."""
        return self.messages.entrypoint

    def begin(self, data: Mapping[str, Any]) -> None:
        """Take the entrypoint and the checkpoint from the event `run.started`."""
        self.messages.entrypoint = data["name"]
        checkpoint: Mapping[str, Any] = data.get("checkpoint") or {}
        self.messages.step = checkpoint.get("step", -1) + 1


def _metadata_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata and tags of a config, as the begin of a step shows them."""
    given = dict(config.get("metadata") or {})
    if config.get("tags"):
        given["tags"] = list(config["tags"])
    return {"metadata": given} if given else {}
