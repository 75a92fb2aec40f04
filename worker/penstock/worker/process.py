"""Worker processes: one, or several under a supervisor that replaces those that die."""

from __future__ import annotations

__all__ = ["run_worker", "supervise"]

import dataclasses
import logging
import os
import signal
import socket
import time
import uuid
from types import FrameType
from typing import Final

from redis.exceptions import RedisError

from penstock.publisher.connection import connect
from penstock.publisher.errors import PenstockError
from penstock.worker.app import load_app
from penstock.worker.options import WorkerOptions
from penstock.worker.recover import bury

logger = logging.getLogger(__name__)

SETTLED: Final = 10.0
"""Seconds after which a process that dies is replaced without a pause."""

LONGEST_PAUSE: Final = 30.0


def run_worker(options: WorkerOptions) -> int:
    """Load the app and work in this process; returns the exit status.

    Raises:
        ConfigurationError: the app cannot be loaded.
        RedisUnavailableError: Redis cannot be reached at the start.
    """
    from penstock.worker.worker import Worker  # RQ takes its time to import

    entrypoints = load_app(options.app)
    _check_redis(options)
    worker = Worker(
        options.queues,
        entrypoints=entrypoints,
        settings=options.settings,
        concurrency=options.concurrency,
        grace=options.grace,
        name=options.name or None,
    )
    worker.work(burst=options.burst)
    return 0


def _check_redis(options: WorkerOptions) -> None:
    from penstock.runtime.client import unavailable

    try:
        connect(options.settings.redis).ping()
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


def supervise(options: WorkerOptions, processes: int) -> int:
    """Keep a number of worker processes alive until asked to stop; returns the exit status.

    A process that dies gives its runs back at once, and is replaced: right away, or after a growing
    pause where it keeps dying young.

    Raises:
        ConfigurationError: the app cannot be loaded.
        RedisUnavailableError: Redis cannot be reached at the start.
    """
    load_app(options.app)
    _check_redis(options)
    return _Supervisor(options, processes).run()


@dataclasses.dataclass(slots=True)
class _Child:
    name: str
    began: float
    pause: float


class _Supervisor:
    def __init__(self, options: WorkerOptions, processes: int) -> None:
        self._options = options
        self._processes = processes
        self._children: dict[int, _Child] = {}
        self._stopping = False

    def run(self) -> int:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        for _ in range(self._processes):
            self._fork(0.0)
        while self._children:
            try:
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            child = self._children.pop(pid, None)
            if child is not None:
                self._bury(child, pid, status, usage.ru_maxrss)
        return 0

    def _fork(self, pause: float) -> None:
        name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        options = dataclasses.replace(self._options, name=name)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                for signum in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(signum, signal.SIG_DFL)
                status = run_worker(options)
            except PenstockError as error:
                logger.error("worker process %s could not start: %s", name, error)
            except BaseException:
                logger.exception("worker process %s broke", name)
            finally:
                logging.shutdown()
                os._exit(status)
        self._children[pid] = _Child(name, time.monotonic(), pause)

    def _bury(self, child: _Child, pid: int, status: int, peak: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and (self._stopping or self._options.burst):
            return
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        reason = f"worker process {pid} ended by {how}, {peak // 1024} MB at its largest"
        logger.error("%s", reason, extra={"worker": child.name, "event": "worker.died"})
        try:
            bury(connect(self._options.settings.redis), self._options.settings, child.name, reason)
        except (RedisError, OSError) as error:
            logger.warning("its leases end by themselves, Redis does not answer: %s", error)
        if self._stopping:
            return
        young = time.monotonic() - child.began < SETTLED
        pause = min(max(2 * child.pause, 0.5), LONGEST_PAUSE) if young else 0.0
        time.sleep(pause)
        if not self._stopping:
            self._fork(pause)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            os.kill(pid, signum)
