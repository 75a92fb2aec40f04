"""Requeues the runs of dead workers; every worker does so, there is no leader."""

from __future__ import annotations

__all__ = ["Recovery", "end_leases", "remove_worker"]

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError, WatchError

from penstock.publisher.chance import chance
from penstock.publisher.redis.cause import explained
from penstock.publisher.redis.script import Call
from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.patient_pool import start
from penstock.runtime.executor.observer import Observer
from penstock.runtime.redis.calls import AT_ONCE, Calls, Death
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.replies import Recovered
from penstock.runtime.redis.timed_call import timed
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings
from penstock.worker.process.presence import GRACE, PRESENCE, Absence

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two checks of the leases."""

PATIENCE: Final = 2.0
"""Seconds after which the ticket of a queued run is looked for, and replaced if it is lost."""


class Recovery:
    """A thread that looks each second or so for leases that are over and tickets that are lost.

    It looks for workers that have died, too: a first check finds one that is not subscribed, a
    second check soon after ends its leases.
    """

    def __init__(
        self,
        connection: Redis,
        settings: Settings,
        also: Callable[[], None] = lambda: None,
        on_answer: Callable[[], None] = lambda: None,
        observer: Observer | None = None,
        *,
        own: str = "",
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._keys = Keys.of(settings, connection)
        self._calls = Calls(self._keys)
        self._absence = Absence(connection, self._keys, own)
        self._crashes = settings.crashes
        self._also = also
        self._on_answer = on_answer
        self._observer = observer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-recovery", daemon=True)
        self.heartbeat = Heartbeat(self._thread)

    def start(self) -> None:
        """Start the thread."""
        start(self._thread)

    def close(self, patience: float | None = None) -> None:
        """End the thread; wait for it at most `patience` seconds."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(patience)

    def _work(self) -> None:
        delay = EVERY
        while not self._ended.wait(delay * chance.uniform(0.8, 1.2)):
            # A recovery that Redis refuses must not keep the worker from its heartbeat.
            is_well = all([self._do(self._recover), self._do(self._also)])
            delay = EVERY if is_well else min(2 * delay, 5.0)
            if is_well and self._absence.is_suspected:
                delay = GRACE / 0.8  # never shorter than the grace

    def _recover(self) -> None:
        while self.check() and not self._ended.is_set():
            self.heartbeat.beat()  # a whole fleet has died: the rest at once

    def _do(self, work: Callable[[], None]) -> bool:
        """Do one task; return whether Redis has answered. An error must not end the thread."""
        self.heartbeat.beat()
        try:
            work()
            self._on_answer()
        except (RedisError, OSError) as error:
            logger.warning("no recovery for now: %s", explained(error))
            return False
        except Exception:
            logger.exception("a recovery broke off")
        return True

    def check(self) -> bool:
        """Recover the runs that need it now; return whether there may be more."""
        call = self._calls.recover(self._crashes, PATIENCE, listens=True)
        found = _recover(self._connection, self._calls, call, self._observer)
        for death in self._absence.dead(found.silent):
            logger.error(
                "worker %s has died: %s",
                death.worker,
                death.reason,
                extra={"worker": death.worker, "event": "worker.lost"},
            )
            remove_worker(self._connection, self._settings, death, self._observer)
        ended = len(found.queued) + len(found.given_up)
        return max(ended, len(found.requeued), len(found.woken)) >= AT_ONCE


def remove_worker(
    connection: Redis, settings: Settings, death: Death, observer: Observer | None = None
) -> None:
    """End the leases of a worker that has died, and take it off RQ's list of workers."""
    end_leases(connection, settings, death, observer)
    keys = Keys.of(settings, connection)
    own = keys.worker(death.worker)
    with connection.pipeline() as pipeline, suppress(WatchError):  # it has registered again
        pipeline.watch(own)
        noted: Any = pipeline.hget(own, PRESENCE)
        if death.presence and (noted or b"").decode("utf-8", "replace") != death.presence:
            return  # another worker has its name
        pipeline.multi()
        pipeline.srem(keys.workers, own)
        pipeline.delete(own, keys.executions(death.worker))
        pipeline.execute()


def end_leases(
    connection: Redis, settings: Settings, death: Death, observer: Observer | None = None
) -> None:
    """End the leases of a worker that has died."""
    keys = Keys.of(settings, connection)
    calls = Calls(keys)
    listed: Any = connection.smembers(keys.executions(death.worker))
    world = World(keys.prefix)
    run_ids = tuple({world.run(member.decode().partition(":")[0]) for member in listed})
    for at in range(0, len(run_ids), AT_ONCE):
        some = replace(death, run_ids=run_ids[at : at + AT_ONCE])
        _recover(connection, calls, calls.recover(settings.crashes, 60.0, some), observer)


def _recover(connection: Redis, calls: Calls, call: Call, observer: Observer | None) -> Recovered:
    """Recover runs; log and count them, and return them."""
    on_call = None if observer is None else observer.called
    recovered = calls.recovered(timed(connection, call, on_call))
    if observer is not None:
        _count(recovered, observer)
    for run_id in recovered.queued:
        _log(logging.WARNING, run_id, "run.recovered", "lost its worker and is queued again")
    for run_id in recovered.given_up:
        _log(logging.ERROR, run_id, "run.poison", "is given up: its workers keep dying of it")
    for run_id in recovered.requeued:
        _log(logging.WARNING, run_id, "run.requeued", "had lost its ticket and has a new one")
    for run_id in recovered.corrupt:
        _log(logging.ERROR, run_id, "run.corrupt", "cannot be recovered, its keys are corrupt")
    return recovered


def _count(recovered: Recovered, observer: Observer) -> None:
    for reason, run_ids in (
        ("worker", recovered.queued),
        ("poison", recovered.given_up),
        ("ticket", recovered.requeued),
        ("corrupt", recovered.corrupt),
    ):
        if run_ids:
            observer.recovered(reason, len(run_ids))


def _log(level: int, run_id: str, event: str, text: str) -> None:
    logger.log(level, "run %s %s", run_id, text, extra={"run_id": run_id, "event": event})
