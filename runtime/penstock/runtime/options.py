"""How an entrypoint is called in this process, beyond its input."""

from __future__ import annotations

__all__ = ["Options"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penstock.runtime.journal import Durability


@dataclass(frozen=True, slots=True)
class Options:
    """How an entrypoint is called, beyond its input."""

    config: Mapping[str, Any]
    context: Any = None
    stream_mode: str | Sequence[str] | None = None
    subgraphs: bool = False
    durability: Durability | None = None
    version: Literal["v1", "v2"] = "v1"

    @property
    def limit(self) -> int | None:
        """How many bodies may run at once."""
        limit = self.config.get("max_concurrency")
        return int(limit) if limit is not None else None
