"""Following a call of an entrypoint event by event, as LangChain's tools do."""

from __future__ import annotations

__all__ = ["Observed"]

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, Generic, Literal, TypeVar, Unpack

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.streaming.event_format import Events
from penstock.runtime.streaming.stream_event import EventFilter, Names, StreamEvent
from penstock.runtime.types.call_options import EventOptions, Options
from penstock.runtime.types.config import Config
from penstock.runtime.types.interrupt import Command
from penstock.runtime.workflow.definition import Definition
from penstock.runtime.workflow.invocation import Invocation

A = TypeVar("A")


class Observed(Definition, Generic[A]):
    """An entrypoint whose calls can be followed event by event."""

    @abstractmethod
    def _options(self, config: Config | None, given: Any) -> Options:
        """Read the keywords of a call."""

    @abstractmethod
    def _reject_rootless(self) -> None:
        """Refuse to be called by itself, if the entrypoint is only for nesting."""

    def astream_events(
        self,
        input: A | Command | None,
        config: Config | None = None,
        *,
        version: Literal["v1", "v2"] = "v2",
        include_names: Names = None,
        include_types: Names = None,
        include_tags: Names = None,
        exclude_names: Names = None,
        exclude_types: Names = None,
        exclude_tags: Names = None,
        **options: Unpack[EventOptions],
    ) -> AsyncIterator[StreamEvent]:
        """Run on the running loop, and yield an event as each unit starts, streams and ends.

        Units are the call as a whole (the root, which has the config's `run_name` or the
        entrypoint's name), the body, each step, and messages that steps stream. The root streams
        the chunks of `stream_mode`. Both versions yield the same.

        Raises:
            ConfigurationError: there is no such version.
        """
        if version not in ("v1", "v2"):
            raise ConfigurationError(
                f'astream_events gives version "v1" or "v2", not {version!r}: use astream with the '
                "stream modes that you need."
            )
        wanted = EventFilter(
            include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        )
        called = self._options(config, options)
        self._reject_rootless()
        events = Events(self.name, called, input, wanted)
        return Invocation(self, input, called).astream(events)
