"""What `penstock doctor --fix` does: what a worker's recovery does, at once and to the end."""

from __future__ import annotations

__all__ = ["mend"]

from collections.abc import Iterable
from typing import cast

from redis import Redis

from penstock.publisher.script import run
from penstock.runtime.redis.calls import AT_ONCE, Calls
from penstock.runtime.redis.keys import Keys


def mend(connection: Redis, keys: Keys, orphans: Iterable[str], crashes: int) -> list[str]:
    """Queue again what has lost its ticket or its worker; returns the ids of these runs.

    The script looks at each run again before it changes it, so that a live worker's recovery may do
    the same at the same time.
    """
    calls = Calls(keys)
    for run_id in orphans:
        if _leads_its_thread(connection, keys, run_id):
            connection.zadd(keys.ready, {run_id: 0}, nx=True)
    rounds = 1 + connection.zcard(keys.ready) // AT_ONCE
    rounds += connection.zcard(keys.leases) // AT_ONCE
    mended: list[str] = []
    for _ in range(rounds):
        recovered = calls.recovered(run(connection, calls.recover(crashes, 0.0)))
        mended += [*recovered.queued, *recovered.rung]
    return mended


def _leads_its_thread(connection: Redis, keys: Keys, run_id: str) -> bool:
    record = cast("list[bytes | None]", connection.hmget(keys.run(run_id), "thread_key", "home"))
    thread, home = record
    if home is not None:  # it performs a step, and has no thread
        return True
    if thread is None:
        return False
    leader = cast("bytes | None", connection.hget(keys.thread(thread.decode()), "run"))
    return leader is not None and leader.decode() == run_id
