"""One event of the thread protocol, before it has its place."""

from __future__ import annotations

__all__ = ["ProtocolEvent"]

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_CHANNELS: Final = {"input.requested": "input"}


@dataclass(frozen=True, slots=True)
class ProtocolEvent:
    """What happened, and where."""

    method: str
    namespace: Sequence[str]
    """The nested entrypoints, or subgraphs, that it is of; empty for the run as a whole."""
    data: Any
    node: str | None = None

    @property
    def channel(self) -> str:
        """The channel that carries it."""
        if self.method == "custom" and self.data.get("name"):
            return f"custom:{self.data['name']}"
        return _CHANNELS.get(self.method, self.method)

    def view(self, event_id: str, seq: int, time: float) -> dict[str, Any]:
        """Return it as clients read it; `time` is in epoch seconds."""
        params: dict[str, Any] = {
            "namespace": list(self.namespace),
            "timestamp": round(time * 1000),
            "data": self.data,
        }
        if self.node is not None:
            params["node"] = self.node
        return {
            "type": "event",
            "event_id": event_id,
            "seq": seq,
            "method": self.method,
            "params": params,
        }
