"""Worker processes: one, or several under a supervisor that replaces those that die."""

from __future__ import annotations

__all__ = ["run_worker", "supervise"]

import dataclasses
import gc
import logging
import os
import select
import signal
import socket
import time
import uuid
from contextlib import suppress
from types import FrameType
from typing import Final, NoReturn

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.connection import connect
from penstock.publisher.errors import PenstockError
from penstock.runtime.redis.keys import Keys
from penstock.worker.app import load_app
from penstock.worker.doctor import risks
from penstock.worker.doctor.reading import glance
from penstock.worker.doctor.rights import require
from penstock.worker.options import WorkerOptions
from penstock.worker.recover import bury

logger = logging.getLogger(__name__)

SETTLED: Final = 10.0
"""Seconds after which a process that dies is replaced without a pause."""

LONGEST_PAUSE: Final = 30.0

_ASKED: Final = (signal.SIGTERM, signal.SIGINT)


def run_worker(options: WorkerOptions, *, alone: bool = True) -> int:
    """Load the app and work in this process; returns the exit status.

    A server that may lose runs is warned of, unless a supervisor did so: then it is not `alone`.

    Raises:
        ConfigurationError: the app cannot be loaded.
        RedisUnavailableError: Redis cannot be reached at the start.
    """
    from penstock.worker.worker import Worker  # RQ takes its time to import

    _tell_app(options)
    app = load_app(options.app)
    _check_redis(options, warn=alone)
    worker = Worker(
        options.queues,
        entrypoints=app.entrypoints,
        tasks=app.tasks,
        settings=options.settings,
        concurrency=options.concurrency,
        grace=options.grace,
        name=options.name or None,
    )
    gc.collect()
    gc.freeze()  # what is loaded now stays: collections need not look at it again
    worker.work(burst=options.burst)
    if worker.is_cut:  # threads that run on would be waited for
        logging.shutdown()
        os._exit(0)
    return 0


def _tell_app(options: WorkerOptions) -> None:
    """Let a store or a cache that the app declares without a URL be in the worker's Redis."""
    for name in ("PENSTOCK_REDIS", "PENSTOCK_REDIS_URL"):
        os.environ[name] = options.settings.redis


def _check_redis(options: WorkerOptions, *, warn: bool) -> None:
    from penstock.runtime.redis.asking import unavailable

    with connect(options.settings.redis) as connection:
        keys = Keys.of(options.settings, connection)
        try:
            connection.ping()
            require(connection, keys, "worker")
        except (RedisError, OSError) as error:
            raise unavailable(error) from error
        if warn:
            _warn_of_risks(connection)


def _warn_of_risks(connection: Redis) -> None:
    try:
        found = risks(glance(connection))
    except RedisError:  # a user who may not ask, or a server that is not real
        return
    for finding in found:
        logger.warning(
            "Redis: %s. %s See penstock doctor.",
            finding.says,
            finding.means,
            extra={"event": "redis.risk"},
        )


def supervise(options: WorkerOptions, processes: int) -> int:
    """Keep a number of worker processes alive until asked to stop; returns the exit status.

    A process that dies gives its runs back at once, and is replaced: right away, or after a growing
    pause where it keeps dying young.

    Raises:
        ConfigurationError: the app cannot be loaded.
        RedisUnavailableError: Redis cannot be reached at the start.
    """
    _tell_app(options)
    load_app(options.app)
    _check_redis(options, warn=True)
    return _Supervisor(options, processes).run()


@dataclasses.dataclass(slots=True)
class _Child:
    name: str
    began: float
    strikes: int
    """How many before it in a row have died young."""


class _Supervisor:
    """Sleeps until a child dies, a signal comes, or a replacement is due."""

    def __init__(self, options: WorkerOptions, processes: int) -> None:
        self._options = options
        self._children: dict[int, _Child] = {}
        self._due: list[tuple[float, int]] = [(0.0, 0)] * processes
        self._stopping = False

    def run(self) -> int:
        """Keep the processes alive until asked to stop."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        for signum in _ASKED:
            signal.signal(signum, self._stop)
        while True:
            self._start_due()
            if not self._children and not self._due:
                return 0
            if select.select([reader], [], [], self._left())[0]:
                os.read(reader, 4096)
            self._reap()

    def _start_due(self) -> None:
        if self._stopping:
            self._due.clear()
        now = time.monotonic()
        for due in [due for due in self._due if due[0] <= now]:
            self._due.remove(due)
            self._fork(due[1])

    def _left(self) -> float | None:
        if not self._due:
            return None
        return max(0.0, min(self._due)[0] - time.monotonic())

    def _fork(self, strikes: int) -> None:
        name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        # A signal between the fork and the note of it would miss the child, or meet it half made.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED)
        pid = os.fork()
        if pid == 0:
            self._become_worker(dataclasses.replace(self._options, name=name))
        self._children[pid] = _Child(name, time.monotonic(), strikes)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED)

    def _become_worker(self, options: WorkerOptions) -> NoReturn:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for signum in (*_ASKED, signal.SIGCHLD):
                signal.signal(signum, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED)
            status = run_worker(options, alone=False)
        except PenstockError as error:
            logger.error("worker process %s could not start: %s", options.name, error)
        except BaseException:
            logger.exception("worker process %s broke", options.name)
        finally:
            logging.shutdown()
            os._exit(status)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                self._bury(self._children.pop(pid), pid, status, usage.ru_maxrss)

    def _bury(self, child: _Child, pid: int, status: int, peak: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and (self._stopping or self._options.burst):
            return
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        reason = f"worker process {pid} ended by {how}, {peak // 1024} MB at its largest"
        logger.error("%s", reason, extra={"worker": child.name, "event": "worker.died"})
        settings = self._options.settings
        try:
            bury(connect(settings.redis, 1.0), settings, child.name, reason)
        except (RedisError, OSError) as error:
            logger.warning("its leases end by themselves, Redis does not answer: %s", error)
        young = time.monotonic() - child.began < SETTLED
        pause = min(0.5 * 2 ** min(child.strikes - 1, 6), LONGEST_PAUSE) if child.strikes else 0.0
        self._due.append((time.monotonic() + pause * young, (child.strikes + 1) * young))

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True
        for pid in self._children:
            with suppress(ProcessLookupError):  # reaped, and the signal comes before the note of it
                os.kill(pid, signum)
