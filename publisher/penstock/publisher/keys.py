"""The names of everything the publisher reads and writes in Redis."""

from __future__ import annotations

__all__ = ["EventKeys"]

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventKeys:
    """Key and channel names of a run's events, one method a name."""

    prefix: str = "penstock"

    def events(self, run_id: str) -> str:
        """Stream of all events of a run, entry id `<seq>-0`; no TTL while open, then retention."""
        return f"{self.prefix}:events:{run_id}"

    def channel(self, run_id: str) -> str:
        """Pub/sub channel that carries the same events live, one frame a message."""
        return f"{self.prefix}:channel:{run_id}"

    def checkpoints(self, run_id: str) -> str:
        """Hash of the run's recorded values, which stored events may refer to; TTL as events."""
        return f"{self.prefix}:checkpoints:{run_id}"
