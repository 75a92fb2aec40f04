"""What a client wants of the events of a thread."""

from __future__ import annotations

__all__ = ["EventsBody", "Subscription"]

import re
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from penstock.gateway.compatible.protocol.protocol_event import ProtocolEvent
from penstock.gateway.compatible.request_model import RequestModel

_CHANNELS: Final = (
    "values",
    "updates",
    "messages",
    "tools",
    "lifecycle",
    "input",
    "checkpoints",
    "tasks",
    "custom",
)

_QUIET: Final = frozenset({"lifecycle", "input"})
"""The channels of those who only want to know how runs stand."""

Channel = Annotated[str, Field(pattern=f"^({'|'.join(_CHANNELS)}|custom:.+)$")]

Namespace = Annotated[list[str], Field(max_length=100)]


class Subscription(RequestModel):
    """The channels and the namespaces of which events are sent."""

    channels: list[Channel] = Field(min_length=1, max_length=100)
    namespaces: list[Namespace] | None = Field(None, max_length=1000)
    """Beginnings of namespaces; none for all."""
    depth: int | None = Field(None, ge=0)
    """How far below them."""

    @property
    def is_quiet(self) -> bool:
        """Whether it has only what says how runs stand."""
        return _QUIET.issuperset(self.channels)

    def wants(self, event: ProtocolEvent) -> bool:
        """Tell whether an event is sent."""
        channel = event.channel
        if channel not in self.channels:
            if not channel.startswith("custom:") or "custom" not in self.channels:
                return False
        return not self.namespaces or any(
            self._reaches(beginning, event.namespace) for beginning in self.namespaces
        )

    def _reaches(self, beginning: Sequence[str], namespace: Sequence[str]) -> bool:
        below = len(namespace) - len(beginning)
        if below < 0 or (self.depth is not None and below > self.depth):
            return False
        return all(map(_is_named, beginning, namespace))


class EventsBody(Subscription):
    """A stream of them."""

    since: int | None = Field(None, ge=0)
    """The `seq` behind which it begins; by default, it begins with the newest run."""


def _is_named(wanted: str, segment: str) -> bool:
    """Tell whether a segment is the wanted one; a name without a colon stands for all of it."""
    return segment == wanted or (":" not in wanted and re.sub(":.*", "", segment) == wanted)
