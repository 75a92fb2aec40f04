"""Lists of threads that do not say what the threads say: found, and put right."""

from __future__ import annotations

__all__ = ["CHECKS", "misplaced", "read_unlisted", "relist"]

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from redis import Redis

from penstock.publisher.codec.codec import Codec
from penstock.publisher.errors import CodecError, EncryptionError
from penstock.publisher.plan import follow
from penstock.publisher.redis.script import run
from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading
from penstock.runtime.errors import ThreadNotFoundError
from penstock.runtime.redis.keys import Keys, thread_bytes, thread_key, thread_text
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.transport import send
from penstock.runtime.settings import Settings
from penstock.runtime.types.run import OPEN
from penstock.runtime.types.thread_record import ThreadStatus

LOOKED_AT: Final = 10_000
"""Threads that are looked at: those that changed last."""

AT_ONCE: Final = 1000
"""Threads that one command looks for in a list."""

SECOND_LOOK: Final = 0.3
"""Seconds after which a thread is looked at again: it may have changed between two reads."""

NAMED: Final = 3


def read_unlisted(connection: Redis, keys: Keys) -> list[str]:
    """Return the ids of the threads that a list names wrongly, or not at all, in two looks."""
    wrong = misplaced(connection, keys)
    if wrong:
        time.sleep(SECOND_LOOK)
        wrong &= misplaced(connection, keys)
    return sorted(thread_text(each) for each in wrong)


def relist(connection: Redis, keys: Keys, codec: Codec, found: Iterable[str]) -> list[str]:
    """Put threads into the lists that they belong in; returns their ids."""
    records = ThreadRecords(keys, codec.at(keys.prefix), Settings())
    done: list[str] = []
    for thread_id in found:
        try:
            _follow(connection, records.relist(thread_id))
        except ThreadNotFoundError:
            run(connection, records.calls.unlist([thread_bytes(thread_id)]))
        except (EncryptionError, CodecError):
            continue  # its metadata cannot be read here
        done.append(thread_id)
    return done


def misplaced(connection: Redis, keys: Keys) -> set[bytes]:
    """Name the newest threads that are listed wrongly, and those that other lists have alone."""
    statuses = list(ThreadStatus)
    others = [keys.threads_of("created"), *map(keys.threads_of, statuses)]
    newest, *heads = _newest(connection, [keys.threads, *others])
    unknown = sorted(set[bytes]().union(*heads).difference(newest))
    wrong = set(unknown) - _members(connection, keys.threads, unknown)
    created, *by_status = (_members(connection, name, newest) for name in others)
    threads = _read(
        connection, [(keys.thread(thread_key(thread_text(each))), _THREAD) for each in newest]
    )
    runs = _read(connection, [(keys.run((run or b"").decode()), _RUN) for _, run in threads])
    for each, (listed, _), run_fields in zip(newest, threads, runs, strict=True):
        shown = {status for status, found in zip(statuses, by_status, strict=True) if each in found}
        is_right = each in created and {(listed or b"").decode()} == shown
        if not is_right or not _fits(listed, run_fields):
            wrong.add(each)
    return wrong


def _newest(connection: Redis, names: Sequence[str]) -> list[list[bytes]]:
    with connection.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.zrevrange(name, 0, LOOKED_AT - 1)
        return cast("list[list[bytes]]", pipeline.execute())


def _members(connection: Redis, name: str, ids: Sequence[bytes]) -> set[bytes]:
    """Return those of some threads that are in a list."""
    with connection.pipeline(transaction=False) as pipeline:
        for at in range(0, len(ids), AT_ONCE):
            pipeline.execute_command("ZMSCORE", name, *ids[at : at + AT_ONCE])
        scores = itertools.chain.from_iterable(cast("list[list[Any]]", pipeline.execute()))
    return {each for each, score in zip(ids, scores, strict=True) if score is not None}


_THREAD: Final = ("listed", "run")
_RUN: Final = ("status", "asks")


def _fits(listed: bytes | None, run_fields: Sequence[bytes | None]) -> bool:
    """Tell whether a status can be that of a thread at such a run, if that is still there."""
    status, asks = run_fields
    if status is None or listed is None:
        return True
    known: Mapping[bytes, tuple[bytes, ...]] = {
        b"completed": (b"idle",),
        b"failed": (b"error",),
        b"cancelled": (b"idle", b"interrupted"),
    }
    if status.decode() in OPEN:
        is_asking = status == b"suspended" and asks == b"1"
        return listed == (b"interrupted" if is_asking else b"busy")
    return listed in known.get(status, ())


def _read(
    connection: Redis, wanted: Sequence[tuple[str, Sequence[str]]]
) -> list[list[bytes | None]]:
    with connection.pipeline(transaction=False) as pipeline:
        for name, fields in wanted:
            pipeline.hmget(name, *fields)
        return cast("list[list[bytes | None]]", pipeline.execute())


def _follow(connection: Redis, plan: Plan[None]) -> None:
    follow(plan, lambda request: send(connection, request))


def _threads(reading: Reading) -> Iterator[Finding]:
    if not reading.unlisted:
        return
    names = ", ".join(reading.unlisted[:NAMED])
    more = len(reading.unlisted) - NAMED
    count = len(reading.unlisted)
    yield Finding(
        "threads",
        Level.WARNING,
        f"{count} {'thread is' if count == 1 else 'threads are'} listed wrongly: {names}"
        + (f" and {more} more" if more > 0 else ""),
        "Searches miss them, or find them by a status that they do not have.",
        "penstock doctor --fix",
    )


CHECKS: Final[Sequence[Callable[[Reading], Iterator[Finding]]]] = (_threads,)
