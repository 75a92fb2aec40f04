"""The threads that have a record, those that changed last first, as a plan without IO."""

from __future__ import annotations

__all__ = ["ThreadPage", "read_thread_page"]

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.types.thread_record import ThreadRecord, ThreadStatus

_CURSOR: Final = re.compile(r"(\d{1,16})-(\d{1,9})", re.ASCII)


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
    since, seen = ("+inf", 0) if place is None else (place[1], int(place[2]))
    name = records.keys.threads if status is None else records.keys.threads_of(status)
    while True:
        members: list[bytes] = yield (
            *("ZREVRANGEBYSCORE", name, since, "-inf"),
            *("LIMIT", seen, limit),
        )
        names = [member.decode("utf-8", "surrogatepass") for member in members]
        found = yield from records.read(names)
        gone = [member for member, each in zip(members, found, strict=True) if each is None]
        if not gone:
            break
        yield records.calls.unlist(gone)  # their time is over
    threads = [each for each in found if each is not None]
    return ThreadPage(threads, _next(threads, since, seen) if len(threads) == limit else None)


def _next(threads: Sequence[ThreadRecord], since: str, seen: int) -> str:
    """Return the place behind threads: when the last one changed, and how many did so then."""
    times = [str(round(each.updated_at.timestamp() * 1000)) for each in threads]
    last = times[-1]
    return f"{last}-{times.count(last) + (seen if last == since else 0)}"
