"""The place of a follower in the feed, and the requests that lead it on. No IO."""

from __future__ import annotations

__all__ = ["FeedTail"]

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from penstock.publisher.codec.codec import Codec
from penstock.runtime.errors import ConfigurationError, FeedExpiredError, FeedRewoundError
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.feed_row import FeedRow, read_cursor, read_entry, row_fields
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.run_record import read_tags
from penstock.runtime.types.feed_entry import FeedEntry, passes
from penstock.runtime.types.run_filter import RunFilter

PAGE: Final = 500
"""Entries in one reply, at most."""

WAIT: Final = 3000
"""Milliseconds that Redis waits for an entry: less than a connection waits for Redis."""

START: Final = "0-0"
"""The cursor before the first entry."""

_CURSOR: Final = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


class FeedTail:
    """The entries behind a cursor, in order, each once, as one follower reads them.

    Each read begins at the entry of the cursor itself: so it tells whether entries behind it are
    gone. The cursor is behind all entries that were read, also those that do not pass the filter.
    """

    def __init__(self, keys: Keys, codec: Codec, wanted: RunFilter, after: str | None) -> None:
        self._key = keys.feed
        self._codec = codec
        self._wanted = wanted
        self._cursor = None if after is None else _checked_cursor(after)

    @property
    def cursor(self) -> str | None:
        """The place behind what was read; None before the first read of a follower without one."""
        return self._cursor

    def begin(self, is_kept: bool) -> Plan[None]:
        """Begin at the end of the feed, unless there is a cursor; is_kept: what settings say.

        Raises:
            ConfigurationError: there is no feed.
        """
        newest = yield ("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        if not newest and not is_kept:
            raise ConfigurationError(
                "there is no feed to follow: set PENSTOCK_FEED=100000, or how many changes of runs "
                "are to be kept, in all processes that enqueue."
            )
        if self._cursor is None:
            self._cursor = read_cursor(newest[0]) if newest else START

    def page(self) -> Plan[list[FeedEntry]]:
        """Read the next entries that pass; waits some seconds for one, and may find none.

        Raises:
            FeedExpiredError: entries behind the cursor are no longer kept.
            FeedRewoundError: the feed has lost entries that were read.
            EncryptionError: tags are looked at, and there is no key for them here.
        """
        rows = yield from self._rows()
        if not rows:
            after = self._cursor or START
            yield ("XREAD", "COUNT", 1, "BLOCK", WAIT, "STREAMS", self._key, after)
            rows = yield from self._rows()
        entries = [self._entry(row) for row in rows]  # before the cursor is behind them
        if rows:
            self._cursor = read_cursor(rows[-1])
        return [entry for entry in entries if passes(self._wanted, entry)]

    def _rows(self) -> Plan[Sequence[FeedRow]]:
        after = self._cursor or START
        if after == START:
            rows: Sequence[FeedRow] = yield ("XRANGE", self._key, "-", "+", "COUNT", PAGE)
            return rows
        rows = yield ("XRANGE", self._key, after, "+", "COUNT", PAGE + 1)
        if not rows or read_cursor(rows[0]) != after:
            oldest = yield ("XRANGE", self._key, "-", "+", "COUNT", 1)
            newest = yield ("XREVRANGE", self._key, "+", "-", "COUNT", 1)
            raise _lost(after, _end(oldest), _end(newest))
        return rows[1:]

    def _entry(self, row: FeedRow) -> FeedEntry:
        fields = row_fields(row)
        return read_entry(read_cursor(row), fields, self._tags(fields["run"], fields["tags"]))

    def _tags(self, run_id: str, text: str) -> Mapping[str, str]:
        codec = self._codec.at("run", run_id)
        if text and self._wanted.tags:  # a filter tells that it cannot read them
            return cast("Mapping[str, str]", codec.at("tags").loads(text))
        return read_tags(text, codec)


def _end(rows: Sequence[FeedRow]) -> str:
    return read_cursor(rows[0]) if rows else ""


def _order(cursor: str) -> tuple[int, int]:
    first, _, second = cursor.partition("-")
    return int(first), int(second)


def _checked_cursor(after: object) -> str:
    found = _CURSOR.fullmatch(after) if isinstance(after, str) else None
    if found is None:
        raise ConfigurationError(
            f"after is the cursor of an entry of the feed, or '0' for all that are kept, not "
            f"{after!r}."
        )
    return f"{int(found[1])}-{int(found[2] or 0)}"


def _lost(after: str, oldest: str, newest: str) -> FeedExpiredError | FeedRewoundError:
    if oldest and _order(oldest) > _order(after):
        return FeedExpiredError(after, oldest)
    return FeedRewoundError(after, newest)
