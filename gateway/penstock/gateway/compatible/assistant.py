"""An assistant: an entrypoint with settings, in versions."""

from __future__ import annotations

__all__ = ["Assistant", "Settings", "system_assistant"]

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

from penstock.gateway.auth.filters import Filter
from penstock.gateway.compatible.run_view import assistant_of
from penstock.runtime.types.description import Description
from penstock.runtime.types.thread_record import contains

_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a version of an assistant says."""

    graph_id: str
    """The entrypoint, or the graph."""
    name: str = "Untitled"
    description: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def view(self) -> dict[str, Any]:
        """Return them by their names, as they are stored."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Assistant:
    """An assistant at one of its versions."""

    assistant_id: str
    settings: Settings
    version: int
    created_at: datetime
    """When it was made; of a version that is not the newest, when this was made."""
    updated_at: datetime
    is_system: bool = False
    """Whether it stands for an entrypoint that workers have; nobody has made it."""

    def is_for(self, own: Filter) -> bool:
        """Tell whether a filter admits it; those of entrypoints are for everybody."""
        return self.is_system or contains(self.settings.metadata, own)

    def view(self) -> dict[str, Any]:
        """Return it as clients know it."""
        return {
            "assistant_id": self.assistant_id,
            **self.settings.view(),
            "version": self.version,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


def system_assistant(description: Description) -> Assistant:
    """Return the assistant that stands for an entrypoint."""
    since = description.since or _LONG_AGO
    settings = Settings(
        description.name,
        description.name,
        description.about or None,
        metadata={"created_by": "system"},
    )
    return Assistant(assistant_of(description.name), settings, 1, since, since, is_system=True)
