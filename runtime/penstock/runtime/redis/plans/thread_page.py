"""The threads that have a record, those that changed last first, as a plan without IO."""

from __future__ import annotations

__all__ = ["ThreadPage", "read_thread_page"]

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.replies import scored
from penstock.runtime.types.thread_record import ThreadRecord, ThreadStatus

_CURSOR: Final = re.compile(r"(\d{1,16})-((?:[0-9a-f]{2})+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """Some threads."""

    threads: Sequence[ThreadRecord]
    after: str | None
    """The cursor of the next page; None if this is the last one."""


def read_thread_page(
    records: ThreadRecords, after: str | None, limit: int, status: ThreadStatus | None = None
) -> Plan[ThreadPage]:
    """Read threads of a status, or all, after the cursor of the page before.

    A thread that changes meanwhile moves to the first page; no other is passed over.

    Raises:
        ConfigurationError: `after` is not the cursor of a page.
    """
    place = None if after is None else _CURSOR.fullmatch(after)
    if after is not None and place is None:
        raise ConfigurationError(f"after is the cursor of a page of threads, not {after!r}.")
    name = records.keys.threads if status is None else records.keys.threads_of(status)
    while True:
        rows = yield from _rows_behind(name, place, limit)
        names = [member.decode("utf-8", "surrogatepass") for member, _ in rows]
        found = yield from records.read(names)
        gone = [row[0] for row, each in zip(rows, found, strict=True) if each is None]
        if not gone:
            break
        yield records.calls.unlist(gone)  # their time is over
    threads = [each for each in found if each is not None]
    return ThreadPage(threads, _place_of(rows[-1]) if len(threads) == limit else None)


def _rows_behind(
    name: str, place: re.Match[str] | None, limit: int
) -> Plan[list[tuple[bytes, Any]]]:
    """Read the next threads and when they changed, those of one time by name backwards."""
    if place is None:
        reply = yield ("ZREVRANGEBYSCORE", name, "+inf", "-inf", "WITHSCORES", "LIMIT", 0, limit)
        return scored(reply)
    time, last = place[1], bytes.fromhex(place[2])
    # No count of those that were seen: one of them may have changed, and another would be skipped.
    at_once, before = yield Reads(
        [
            ("ZREVRANGEBYSCORE", name, time, time, "WITHSCORES"),
            ("ZREVRANGEBYSCORE", name, f"({time}", "-inf", "WITHSCORES", "LIMIT", 0, limit),
        ]
    )
    return [*(row for row in scored(at_once) if row[0] < last), *scored(before)][:limit]


def _place_of(row: tuple[bytes, Any]) -> str:
    """Return the place of a thread as it was found: it may have changed since then."""
    member, score = row
    return f"{int(score)}-{member.hex()}"
