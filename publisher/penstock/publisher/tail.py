"""The state of one subscriber: the events it has seen, and the part it reads next. No IO."""

from __future__ import annotations

__all__ = ["IDLE", "Tail"]

from collections.abc import Sequence
from itertools import pairwise

from penstock.publisher.batch import Frame, Page
from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import ConfigurationError, CursorExpiredError
from penstock.publisher.event import Event
from penstock.publisher.stored import Part

IDLE = 5.0
"""Seconds of silence after which the stored events are read once, to be sure nothing was lost."""

FIRST = 100
"""Stored events in the first reply."""

PAGE = 500
"""Stored events in one reply, at most."""

PAGE_WEIGHT = 4 * 1024 * 1024
"""Bytes of events that one reply should hold, about."""


class Tail:
    """The end of a run's events as one subscriber sees it.

    Frames and pages go in, in any order, twice, or not at all; the events after the cursor come
    out, in order, each once. While `behind`, frames are skipped and the stored events have to be
    read (`ask`, then `stored`); the owner of the tail sets it after each loss of the channel. The
    tail has `ended` at a terminal event that nothing follows: a failed run may have been resumed.

    The read starts at the cursor's own event, not after it: this distinguishes "nothing new" from
    "expired", and from a server that lost events before the cursor.
    """

    __slots__ = ("_codec", "_count", "_dropped", "_run_id", "behind", "cursor", "ended")

    def __init__(self, run_id: str, after: int, codec: Codec) -> None:
        if type(after) is not int or after < 0:
            raise ConfigurationError(f"after is the seq of the last event seen, not {after!r}")
        self.cursor = after
        self.behind = True
        self.ended = False
        self._run_id = run_id
        self._codec = codec
        self._count = FIRST
        self._dropped = 0

    def frame(self, frame: Frame) -> Sequence[Event]:
        """Take a channel message: the events in it that are next."""
        if self.behind or self.ended or frame.last <= self.cursor:
            return ()
        if frame.first > self.cursor + 1:
            self.behind = True
            return ()
        fresh = self._advance(frame.events(self._run_id, self._codec), frame.first)
        self.behind = not self.ended and self.cursor < frame.last
        return fresh

    def ask(self) -> Part:
        """The part of the stored events to read now."""
        self.behind = False
        return Part(self.cursor, self._count + 1, self._dropped)

    def stored(self, page: Page, count: int) -> Sequence[Event]:
        """Take the page that was asked for: the events in it that are next.

        Raises:
            CursorExpiredError: the event after the cursor is no longer kept.
        """
        events, self._dropped = page.events, page.dropped
        oldest = events[0].seq if events else None
        if self.cursor + 1 < (oldest or 0) or (oldest is None and self.cursor > 0):
            raise CursorExpiredError(self._run_id, self.cursor, oldest)
        if not events:
            return ()
        self._check(events)
        fresh = self._advance(events, events[0].seq)
        self.ended = self.ended and page.length < count
        self.behind = not self.ended and (self.behind or page.length >= count)
        self._pace(page)
        return fresh

    def _advance(self, events: Sequence[Event], first: int) -> Sequence[Event]:
        fresh = events[self.cursor + 1 - first :] if first <= self.cursor else events
        if fresh:
            self.cursor = fresh[-1].seq
        self.ended = bool(events) and events[-1].terminal
        return fresh

    def _check(self, events: Sequence[Event]) -> None:
        # Somebody deleted entries in the middle: never skip in silence.
        for event, next_event in pairwise(events):
            if next_event.seq != event.seq + 1:
                raise CursorExpiredError(self._run_id, event.seq, next_event.seq)

    def _pace(self, page: Page) -> None:
        # Pages of events that may be 8 MiB each: grow only as far as the last one was light.
        fits = page.length * PAGE_WEIGHT / max(page.weight, 1)
        self._count = max(1, min(PAGE, 2 * self._count, int(fits)))
