"""Entries of the feed and of the outbox of webhooks, as Redis gives them."""

from __future__ import annotations

__all__ = ["FeedRow", "read_cursor", "read_entry", "row_fields"]

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from penstock.runtime.types.feed_entry import FeedEntry
from penstock.runtime.types.run import RunStatus

FeedRow: TypeAlias = tuple[bytes, Mapping[bytes, bytes]]


def read_cursor(row: FeedRow) -> str:
    """Return the id of an entry."""
    return row[0].decode()


def row_fields(row: FeedRow) -> Mapping[str, str]:
    """Return the fields of an entry as text."""
    return {name.decode(): text.decode("utf-8", "surrogatepass") for name, text in row[1].items()}


def read_entry(cursor: str, fields: Mapping[str, str], tags: Mapping[str, str]) -> FeedEntry:
    """Read an entry, given the tags of its run, which may be encrypted in its fields."""
    run_id = fields["run"]
    return FeedEntry(
        cursor=cursor,
        run_id=run_id,
        thread_id=fields["thread"] or run_id,
        entrypoint=fields["entrypoint"],
        event=fields["event"],
        seq=int(fields["seq"]),
        status=RunStatus(fields["status"]),
        time=datetime.fromtimestamp(int(cursor.partition("-")[0]) / 1000, UTC),
        cause=fields["cause"],
        tags=tags,
    )
