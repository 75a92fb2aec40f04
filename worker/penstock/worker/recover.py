"""Gives runs of dead workers back to their queues; every worker does, none leads."""

from __future__ import annotations

__all__ = ["Recovery", "bury", "give_back"]

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.chance import chance
from penstock.publisher.script import run
from penstock.runtime.pool import start
from penstock.runtime.redis.calls import AT_ONCE, Calls, Death, Recovered
from penstock.runtime.redis.keys import Keys
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings

logger = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two looks at the leases."""

PATIENCE: Final = 2.0
"""Seconds after which the ticket of a queued run is looked for, and rung for again if lost."""


class Recovery:
    """A thread that looks each second or so for leases that are over and tickets that are lost."""

    def __init__(
        self, connection: Redis, settings: Settings, also: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._calls = Calls(Keys.of(settings, connection))
        self._crashes = settings.crashes
        self._also = also
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="penstock-recovery", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        start(self._thread)

    def close(self, patience: float | None = None) -> None:
        """End the thread; wait for it at most `patience` seconds."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(patience)

    def _work(self) -> None:
        delay = EVERY
        while not self._ended.wait(delay * chance.uniform(0.8, 1.2)):
            try:
                while self.look() and not self._ended.is_set():
                    pass  # a whole fleet has died: the rest at once
                self._also()
                delay = EVERY
            except (RedisError, OSError) as error:
                logger.warning("no recovery for now, Redis does not answer: %s", error)
                delay = min(2 * delay, 5.0)
            except Exception:  # this thread must not end before its worker
                logger.exception("a recovery broke off")

    def look(self) -> bool:
        """Recover what is to be recovered now; tell whether there may be more of it."""
        call = self._calls.recover(self._crashes, PATIENCE)
        found = report(self._calls, run(self._connection, call))
        ended = len(found.queued) + len(found.given_up)
        return max(ended, len(found.rung), len(found.woken)) >= AT_ONCE


def bury(connection: Redis, settings: Settings, worker: str, reason: str) -> None:
    """End the leases of a worker that is known to be dead, and take it off RQ's list of workers."""
    give_back(connection, settings, worker, reason)
    keys = Keys.of(settings, connection)
    with connection.pipeline() as pipeline:
        pipeline.srem(keys.workers, keys.worker(worker))
        pipeline.delete(keys.worker(worker), keys.executions(worker))
        pipeline.execute()


def give_back(connection: Redis, settings: Settings, worker: str, reason: str) -> None:
    """End the leases of a worker that is known to be dead."""
    keys = Keys.of(settings, connection)
    calls = Calls(keys)
    listed: Any = connection.smembers(keys.executions(worker))
    world = World(keys.prefix)
    run_ids = tuple({world.run(member.decode().partition(":")[0]) for member in listed})
    for at in range(0, len(run_ids), AT_ONCE):
        death = Death(worker, reason, run_ids[at : at + AT_ONCE])
        report(calls, run(connection, calls.recover(settings.crashes, 60.0, death)))


def report(calls: Calls, reply: object) -> Recovered:
    """Log what came of a recovery, and return it."""
    recovered = calls.recovered(reply)
    for run_id in recovered.queued:
        _log(logging.WARNING, run_id, "run.recovered", "lost its worker, it is queued again")
    for run_id in recovered.given_up:
        _log(logging.ERROR, run_id, "run.poison", "was given up: its workers keep dying of it")
    for run_id in recovered.rung:
        _log(logging.WARNING, run_id, "run.rung", "had lost its ticket, it has a new one")
    for run_id in recovered.spoilt:
        _log(logging.ERROR, run_id, "run.spoilt", "cannot be recovered, its keys are spoilt")
    return recovered


def _log(level: int, run_id: str, event: str, text: str) -> None:
    logger.log(level, "run %s %s", run_id, text, extra={"run_id": run_id, "event": event})
