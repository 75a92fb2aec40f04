"""Reads the facts that the checks need, in few round trips, without changing anything."""

from __future__ import annotations

__all__ = ["read", "read_server"]

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from penstock.publisher.codec.codec import Codec
from penstock.publisher.plan import follow
from penstock.runtime.diagnostics.doctor.cluster import is_cluster
from penstock.runtime.diagnostics.doctor.encryption import read_encryption
from penstock.runtime.diagnostics.doctor.finding import Encryption, Reading
from penstock.runtime.diagnostics.doctor.graphs import read_trusting
from penstock.runtime.diagnostics.doctor.listed import counts
from penstock.runtime.diagnostics.doctor.listed_threads import read_unlisted
from penstock.runtime.redis.facets import ALL
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.plans.hook_states import (
    FeedState,
    OutboxState,
    feed_state,
    outbox_state,
)
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.transport import send
from penstock.runtime.redis.world import World
from penstock.runtime.types.run import OPEN, RunStatus

T = TypeVar("T")

KEYS_READ: Final = 100_000
"""Keys that are read, unless all are asked for."""

PAGE: Final = 1000
SECOND_LOOK: Final = 0.3
"""Seconds after which a run that looks stuck is checked again: its ticket may be on its way."""

_CONFIG: Final = ("save", "appendfsync", "client-output-buffer-limit")
_OF_RUNS: Final = ("run", "checkpoints", "questions", "legs", "remote", "events")


def read(
    connection: Redis,
    keys: Keys,
    codec: Codec,
    *,
    cli: str,
    all_keys: bool,
    feed_limit: int = 0,
) -> Reading:
    """Read a Redis, as far as its user may.

    Raises:
        redis.exceptions.RedisError: it does not answer, or refuses all.
    """
    reader = _Reader()
    info = reader("info", dict[str, Any](), lambda: connection.info())
    if is_cluster(info):  # its keys cannot be read together
        return Reading(info=info, cli=cli)
    queued = reader("queued", list[_Queued](), lambda: _queued(connection, keys))
    unserved = reader("workers", set[str](), lambda: _unserved(connection, keys, queued))
    leaks, count, whole = reader(
        "leaks",
        (list[str](), 0, False),
        lambda: _leaks(connection, keys, None if all_keys else KEYS_READ),
    )
    return Reading(
        info=info,
        config=_config(connection),
        clock_offset=reader("clock_offset", 0.0, lambda: _clock_offset(connection)),
        statuses=reader("statuses", dict[str, int](), lambda: _statuses(connection, keys)),
        workers=reader("workers", 0, lambda: _alive(connection, keys.workers)),
        unserved=Counter(run.queue for run in queued if run.queue in unserved and not run.is_step),
        unserved_steps=Counter(
            run.queue for run in queued if run.queue in unserved and run.is_step
        ),
        parked=_parked(queued),
        misplaced=reader(
            "misplaced", dict[str, int](), lambda: _misplaced(connection, keys, queued)
        ),
        paused=reader("paused", False, lambda: bool(connection.exists(keys.suspended))),
        orphans=reader("orphans", list[str](), lambda: _stuck(connection, keys, queued)),
        expired=reader("expired", dict[str, float](), lambda: _expired(connection, keys)),
        unlisted=reader("unlisted", list[str](), lambda: read_unlisted(connection, keys)),
        trusting=reader("trusting", list[str](), lambda: read_trusting(connection, keys)),
        leaks=leaks,
        keys_read=count,
        all_keys_read=whole,
        encryption=reader(
            "encryption", Encryption(), lambda: read_encryption(connection, keys, codec)
        ),
        outbox=reader("outbox", OutboxState(), lambda: _follow(connection, outbox_state(keys))),
        feed=reader("feed", FeedState(), lambda: _follow(connection, feed_state(keys))),
        feed_limit=feed_limit,
        refused=reader.refused,
        cli=cli,
    )


class _Reader:
    """Reads one fact after the other, and skips those that the Redis user may not read."""

    def __init__(self) -> None:
        self.refused: set[str] = set()

    def __call__(self, name: str, nothing: T, read: Callable[[], T]) -> T:
        try:
            return read()
        except NoPermissionError:
            self.refused.add(name)
            return nothing


def _follow(connection: Redis, plan: Plan[T]) -> T:
    return follow(plan, lambda request: send(connection, request))


def read_server(connection: Redis) -> Reading:
    """Read the server's INFO and configuration, in two round trips or so.

    Raises:
        redis.exceptions.RedisError: it does not answer, or refuses.
    """
    return Reading(info=connection.info(), config=_config(connection))


def _config(connection: Redis) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _CONFIG:
        try:
            found |= cast("dict[str, str]", connection.config_get(name))
        except ResponseError:  # not allowed here, or renamed, as hosted servers like to
            return {}
    return found


def _clock_offset(connection: Redis) -> float:
    before = time.time()
    seconds, microseconds = connection.time()
    return seconds + microseconds / 1e6 - (before + time.time()) / 2


def _alive(connection: Redis, workers: str) -> int:
    """Count the live workers of one of RQ's sets of them."""
    members = list(cast("set[bytes]", connection.smembers(workers)))
    return connection.exists(*members) if members else 0


def _statuses(connection: Redis, keys: Keys) -> dict[str, int]:
    counted = counts(connection, keys)
    return {status.value: counted.get(status, 0) for status in RunStatus}


def _unserved(connection: Redis, keys: Keys, queued: Sequence[_Queued]) -> set[str]:
    queues = {run.queue for run in queued}
    return {queue for queue in queues if not _alive(connection, keys.workers_of(queue))}


def _expired(connection: Redis, keys: Keys) -> dict[str, float]:
    seconds, _ = connection.time()
    rows = cast(
        "list[tuple[bytes, float]]",
        connection.zrangebyscore(keys.leases, "-inf", seconds * 1000, withscores=True),
    )
    return {_text(run_id): seconds - score / 1000 for run_id, score in rows}


# -- orphans ------------------------------------------------------------------------------------


class _Queued(NamedTuple):
    run_id: str
    queue: str
    thread_key: str
    """Empty for the run of a remote step, which has no thread."""
    parked: str
    """Name of the code that its workers lack; "" if it is not parked."""
    is_reserved: bool
    """Whether a worker holds it back until it can execute it alone."""

    @property
    def is_step(self) -> bool:
        return not self.thread_key


def _queued(connection: Redis, keys: Keys) -> list[_Queued]:
    """Read the runs that are queued on a queue, those of remote steps too."""
    suspended, running, listed, ready = (
        cast("list[bytes]", connection.zrevrange(index, 0, -1))
        for index in (keys.open("suspended"), keys.leases, keys.open(ALL), keys.ready)
    )
    # Of open runs, most may be suspended. Whatever was queued meanwhile is ready, as steps are.
    others = {*suspended, *running}
    queued = dict.fromkeys((*(each for each in listed if each not in others), *ready))
    found: list[_Queued] = []
    now = connection.time()[0] * 1000
    for page in _pages(_text(member) for member in queued):
        with connection.pipeline(transaction=False) as pipeline:
            for run_id in page:
                pipeline.hmget(
                    keys.run(run_id), "status", "queue", "thread_key", "home", "parked", "reserved"
                )
            replies = cast("list[list[bytes | None]]", pipeline.execute())
        for run_id, (status, queue, thread, home, parked, until) in zip(page, replies, strict=True):
            if status == b"queued" and queue and (thread or home):
                key = _text(thread) if thread and not home else ""
                wants, reserved = _text(parked or b""), float(until or 0) > now
                found.append(_Queued(run_id, _text(queue), key, wants, reserved))
    return found


def _parked(queued: Sequence[_Queued]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for run in queued:
        if run.parked:
            found.setdefault((run.queue, run.parked), []).append(run.run_id)
    return found


def _stuck(connection: Redis, keys: Keys, queued: Sequence[_Queued]) -> list[str]:
    """Return the runs that are orphans in two checks."""
    orphans = _orphans(connection, keys, queued)
    if orphans:
        time.sleep(SECOND_LOOK)
        orphans &= _orphans(connection, keys, _queued(connection, keys))
    return sorted(orphans)


def _orphans(connection: Redis, keys: Keys, queued: Sequence[_Queued]) -> set[str]:
    """Name the queued runs that neither a queue nor the line of their thread holds."""
    tickets = {queue: _tickets(connection, keys, queue) for queue in {run.queue for run in queued}}
    return {
        run.run_id
        for run in queued
        if run.run_id not in tickets[run.queue]
        and not run.is_reserved
        and not _is_parked(connection, keys, run)
        and (run.is_step or not _waits(connection, keys, run))
    }


def _tickets(connection: Redis, keys: Keys, queue: str) -> set[str]:
    found: set[str] = set()
    start, world = 0, World(keys.prefix)
    while page := cast(
        "list[bytes]", connection.lrange(keys.queue(queue), start, start + 10 * PAGE - 1)
    ):
        found |= {world.run(ticket.decode("utf-8", "replace")) for ticket in page}
        start += len(page)
    return found


def _is_parked(connection: Redis, keys: Keys, run: _Queued) -> bool:
    if not run.parked:
        return False
    return connection.zscore(keys.parked(f"{run.queue}:{run.parked}"), run.run_id) is not None


def _misplaced(connection: Redis, keys: Keys, queued: Sequence[_Queued]) -> dict[str, int]:
    """Count the tickets of queued runs on queues where an older release of Penstock puts them."""
    if World(keys.prefix).queue("") == "":
        return {}
    ids = {run.run_id for run in queued}
    found: dict[str, int] = {}
    for queue in {run.queue for run in queued}:
        name = f"{keys.rq}:queue:{queue}"
        tickets = cast("list[bytes]", connection.lrange(name, 0, PAGE - 1))
        found[queue] = sum(ticket.decode("utf-8", "replace") in ids for ticket in tickets)
    return {queue: count for queue, count in found.items() if count}


def _waits(connection: Redis, keys: Keys, run: _Queued) -> bool:
    leader = cast("bytes | None", connection.hget(keys.thread(run.thread_key), "run"))
    if leader is None or _text(leader) == run.run_id:
        return False
    return connection.lpos(keys.waiting(run.thread_key), run.run_id) is not None


# -- keys without TTL ---------------------------------------------------------------------------


def _leaks(connection: Redis, keys: Keys, limit: int | None) -> tuple[list[str], int, bool]:
    """Name the keys without TTL of runs that are not open; also how many were read, and if all."""
    count, found = 0, list[str]()
    scan = cast("Iterator[bytes]", connection.scan_iter(match=f"{keys.prefix}:*", count=PAGE))
    for page in _pages(scan):
        count += len(page)
        names = [key.decode("utf-8", "replace") for key in page]
        suspects = [name for name in names if _kind(keys, name) in (*_OF_RUNS, "taken")]
        forever = _without_ttl(connection, suspects)
        closed = _not_open(connection, keys, forever)
        found += _without_ttl(connection, closed)  # a run may have ended between the two checks
        if limit is not None and count >= limit:
            return sorted(found), count, False
    return sorted(found), count, True


def _kind(keys: Keys, name: str) -> str:
    return name.removeprefix(f"{keys.prefix}:").partition(":")[0]


def _without_ttl(connection: Redis, names: Sequence[str]) -> list[str]:
    with connection.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.pttl(name)
        ttls = cast("list[int]", pipeline.execute())
    return [name for name, ttl in zip(names, ttls, strict=True) if ttl == -1]


def _not_open(connection: Redis, keys: Keys, names: Sequence[str]) -> list[str]:
    with connection.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.hget(keys.run(name.rpartition(":")[2]), "status")
        statuses = cast("list[bytes | None]", pipeline.execute())
    return [
        name
        for name, status in zip(names, statuses, strict=True)
        if status is None or _text(status) not in OPEN or _kind(keys, name) == "taken"
    ]


def _pages(items: Iterable[Any]) -> Iterator[list[Any]]:
    page: list[Any] = []
    for item in items:
        page.append(item)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _text(raw: bytes) -> str:
    """Decode corrupt names too, because the doctor reports them."""
    return raw.decode("utf-8", "replace")
