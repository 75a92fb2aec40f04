"""Where a reader of a thread's stream is: in the feed, and in the runs that it has read. No IO."""

from __future__ import annotations

__all__ = ["ThreadPlace"]

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from penstock.publisher.event import TERMINAL, Event
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.types.feed_entry import FeedEntry


@dataclass(slots=True)
class ThreadPlace:
    """The newest event that was read of each run whose end the feed has not told of yet.

    A run is read to its end, or to its question, at the first entry that tells of it; the entries
    that follow tell of what was read already. So these runs are few: those that are read, and those
    that waited for their turn meanwhile.
    """

    feed: str | None = None
    """The cursor of the feed; None for its end."""
    ahead: list[str] = field(default_factory=list[str])
    """The run that is being read, and those that are to be read before more of the feed is."""
    seen: dict[str, int] = field(default_factory=dict[str, int])

    def begin(self, runs: Mapping[str, int]) -> None:
        """Begin with the open runs of the thread, each behind its newest event."""
        self.seen = dict(runs)
        self.ahead = list(runs)

    def takes(self, entry: FeedEntry) -> bool:
        """Tell whether an entry tells of something that is to be read, and prepare to read it.

        Of a run that nothing was read of, an end or a question is passed over: its events came
        before the reader did.
        """
        seen = self.seen.get(entry.run_id)
        if seen is None and entry.event not in ("run.queued", "run.resumed"):
            return False
        if seen is None:
            self.seen[entry.run_id] = entry.seq - 1
        elif entry.seq <= seen:
            return False
        self.ahead.append(entry.run_id)
        return True

    def read(self, seq: int) -> None:
        """Note an event of the run that is being read."""
        run_id = self.ahead[0]
        self.seen[run_id] = max(seq, self.seen[run_id])

    def leave(self, end: Event | None) -> None:
        """Go on behind the run that is being read, whose stream has ended with an event."""
        if end is not None:
            self.read(end.seq)
        self.ahead.pop(0)

    def skip(self) -> None:
        """Go on behind a run whose events are no longer kept."""
        self.seen.pop(self.ahead.pop(0))

    def passed(self, entry: FeedEntry) -> None:
        """Forget a run at the entry that tells of its end, as no other is to come before more."""
        if entry.event == TERMINAL and entry.seq >= self.seen.get(entry.run_id, 0):
            self.seen.pop(entry.run_id, None)

    def cursor(self, feed: str | None) -> str:
        """Write the place down, with where the reader is in the feed."""
        text = json.dumps([feed, self.ahead, self.seen], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, after: str) -> Self:
        """Read what `cursor` has written; "0" is the oldest entry of the feed.

        Raises:
            ConfigurationError: it is something else.
        """
        if after == "0":
            return cls("0")
        try:
            text = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))
            feed, ahead, seen = json.loads(text)
            place = cls(feed, list(map(str, ahead)), {name: int(seen[name]) for name in seen})
            if place.seen.keys() >= set(place.ahead):
                return place
            raise ValueError(after)
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"after is the cursor of a stream of this thread, or '0', not {after!r}."
            ) from None
