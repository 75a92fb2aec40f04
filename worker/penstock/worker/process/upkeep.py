"""The periodic duties of a worker: registration, heartbeat, announcement."""

from __future__ import annotations

__all__ = ["Upkeep"]

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import RedisError
from rq.worker import WorkerStatus

from penstock.publisher.redis.script import run
from penstock.runtime.executor.describing import describe
from penstock.runtime.executor.executor import Executor
from penstock.worker.process.capacity import Capacity
from penstock.worker.process.registration import Registration
from penstock.worker.process.rq_jobs import OrdinaryJobs
from penstock.worker.process.rq_worker import RQWorker

logger = logging.getLogger(__name__)

ANNOUNCE_EVERY: Final = 5.0
DESCRIBE_EVERY: Final = 3600.0
DESCRIBE_AGAIN: Final = 60.0
"""Seconds after which a description that Redis refused is tried again."""
HEARTBEAT_EVERY: Final = 2.0
MAINTENANCE_EVERY: Final = 600.0

EXECUTIONS_TTL: Final = 600
"""Seconds that Redis keeps the list of what a dead worker was executing."""


class Upkeep:
    """Renews a worker's registration, heartbeat, state and announcement."""

    def __init__(
        self,
        worker: RQWorker,
        registration: Registration,
        executor: Executor,
        ordinary: OrdinaryJobs,
        capacity: Capacity,
        on_replaced: Callable[[], None],
        on_webhooks: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._worker = worker
        self._registration = registration
        self._executor = executor
        self._ordinary = ordinary
        self._capacity = capacity
        self._on_replaced = on_replaced
        self._on_webhooks = on_webhooks
        self._due: dict[str, float] = {}
        self._began: float | None = None

    def tick(self) -> None:
        """Do what is due, about once a second; in the recovery's thread."""
        worker = self._worker
        if not self._registration.is_held():
            self._on_replaced()
            return
        self._ordinary.grow()
        state = WorkerStatus.BUSY if self._capacity.busy else WorkerStatus.IDLE
        if worker.get_state() != state and not worker.is_ending:
            worker.set_state(state)
        if self._is_due("announce", ANNOUNCE_EVERY):
            self.announce()
        if self._is_due("heartbeat", HEARTBEAT_EVERY):
            with worker.connection.pipeline(transaction=False) as pipeline:
                worker.heartbeat(pipeline=pipeline)
                pipeline.expire(self._executor.calls.keys.executions(worker.name), EXECUTIONS_TTL)
                pipeline.execute()
        if self._is_due("maintenance", MAINTENANCE_EVERY):
            self._clean()
        if self._is_due("describe", DESCRIBE_AGAIN):
            executor = self._executor
            describe(worker.connection, executor.calls.keys, executor.app, self._since())
            self._due["describe"] = time.monotonic() + DESCRIBE_EVERY

    def announce(self) -> None:
        """Announce what this worker can execute, and learn whether there are webhooks."""
        call = self._executor.calls.announce(self._executor.app, 3 * ANNOUNCE_EVERY)
        self._on_webhooks(run(self._worker.connection, call) == 1)

    def _since(self) -> float:
        """Return when this worker began, by the one clock that all workers have: Redis's."""
        began = self._began
        if began is None:
            connection: Any = self._worker.connection
            seconds, microseconds = connection.time()
            began = self._began = int(seconds) + int(microseconds) / 1e6
        return began

    def _clean(self) -> None:
        """Let RQ clean its registries; an error there is no reason to end."""
        worker: Any = self._worker
        try:
            worker.clean_registries()
        except (RedisError, OSError):
            raise
        except Exception:
            logger.exception("RQ could not clean its registries")

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if self._due.get(what, 0.0) > now:
            return False
        self._due[what] = now + every
        return True
