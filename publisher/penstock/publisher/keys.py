"""The names of everything the publisher reads and writes in Redis."""

from __future__ import annotations

__all__ = ["EventKeys", "database_of"]

from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class EventKeys:
    """Key and channel names of a run's events, one method a name."""

    prefix: str = "penstock"
    database: int = field(default=0, kw_only=True)
    """Number of the database: Redis carries the messages of channels across databases."""

    @classmethod
    def at(cls, connection: object, prefix: str) -> Self:
        """Return the names that a prefix has in the database of a connection."""
        return cls(prefix, database=database_of(connection))

    def events(self, run_id: str) -> str:
        """List of all events of a run, `<seq> <JSON>`; no TTL while open, then retention."""
        return f"{self.prefix}:events:{run_id}"

    def channel(self, run_id: str) -> str:
        """Pub/sub channel that carries the same events live, one frame a message."""
        return f"{self.prefix}:channel{self._of_database()}:{run_id}"

    def _of_database(self) -> str:
        return f"@{self.database}" if self.database else ""

    def checkpoints(self, run_id: str) -> str:
        """Hash of the run's recorded values, which stored events may refer to; TTL as events."""
        return f"{self.prefix}:checkpoints:{run_id}"


def database_of(connection: object) -> int:
    """Return the number of the database that a client of redis-py is connected to."""
    pool = getattr(connection, "connection_pool", None)
    settings = getattr(pool, "connection_kwargs", {})
    return int(settings.get("db") or 0)
