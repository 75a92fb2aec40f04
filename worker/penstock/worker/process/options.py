"""How a worker is started."""

from __future__ import annotations

__all__ = ["WorkerOptions"]

from dataclasses import dataclass

from penstock.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """The options of `penstock worker`."""

    app: tuple[str, ...]
    queues: tuple[str, ...]
    settings: Settings
    concurrency: int = 50
    """Runs at once in one process."""
    grace: float = 25.0
    """Seconds that running steps may take to end after SIGTERM."""
    burst: bool = False
    """End when the queues are empty."""
    name: str = ""
    health: str = ""
    """Where its health is served over HTTP, `[HOST:]PORT`."""
    health_file: str = ""
    """A file that is written while the worker is live."""

    @property
    def is_monitored(self) -> bool:
        """Whether anybody wants to know how the worker is."""
        return bool(self.health or self.health_file)
