"""`penstock doctor --fix`: a worker's recovery, at once and for all runs."""

from __future__ import annotations

__all__ = ["Fixed", "fix_runs"]

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

from redis import Redis

from penstock.publisher.redis.script import run
from penstock.runtime.diagnostics.doctor.finding import Reading
from penstock.runtime.redis.calls import AT_ONCE, Calls
from penstock.runtime.redis.keys import Keys


@dataclass(frozen=True, slots=True)
class Fixed:
    """The runs that were fixed, by their ids."""

    requeued: tuple[str, ...] = ()
    """Runs that are queued again."""
    given_up: tuple[str, ...] = ()
    """Runs that have failed, because their workers kept dying."""
    relisted: tuple[str, ...] = ()
    """Threads that are in the right lists again."""

    def left(self, reading: Reading) -> Reading:
        """Return a reading without the runs that are fixed."""
        done = {*self.requeued, *self.given_up}
        orphans = [run_id for run_id in reading.orphans if run_id not in done]
        expired = {run_id: late for run_id, late in reading.expired.items() if run_id not in done}
        unlisted = [each for each in reading.unlisted if each not in set(self.relisted)]
        return replace(reading, orphans=orphans, expired=expired, unlisted=unlisted)


def fix_runs(connection: Redis, keys: Keys, orphans: Iterable[str], crashes: int) -> Fixed:
    """Requeue the runs that have lost their ticket or their worker.

    The script looks at each run again before it changes it, so that a live worker's recovery may do
    the same at the same time.
    """
    calls = Calls(keys)
    for run_id in orphans:
        if _leads_its_thread(connection, keys, run_id):
            connection.zadd(keys.ready, {run_id: 0}, nx=True)
    rounds = 1 + connection.zcard(keys.ready) // AT_ONCE
    rounds += connection.zcard(keys.leases) // AT_ONCE
    requeued, given_up = list[str](), list[str]()
    for _ in range(rounds):
        recovered = calls.recovered(run(connection, calls.recover(crashes, 0.0)))
        requeued += [*recovered.queued, *recovered.requeued]
        given_up += recovered.given_up
    return Fixed(tuple(requeued), tuple(given_up))


def _leads_its_thread(connection: Redis, keys: Keys, run_id: str) -> bool:
    fields = ("thread_key", "home", "lone")
    record = cast("list[bytes | None]", connection.hmget(keys.run(run_id), *fields))
    thread, home, lone = record
    if home is not None:  # the run of a remote step, which has no thread
        return True
    if thread is None or lone is not None:
        return lone is not None
    name = keys.thread(thread.decode("utf-8", "replace"))
    leader = cast("bytes | None", connection.hget(name, "run"))
    return leader is not None and leader.decode("utf-8", "replace") == run_id
