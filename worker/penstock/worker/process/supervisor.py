"""Several worker processes, under a supervisor that replaces those that die."""

from __future__ import annotations

__all__ = ["supervise"]

import dataclasses
import logging
import math
import os
import select
import signal
import socket
import time
import uuid
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from redis.exceptions import RedisError

from penstock.publisher.errors import PenstockError
from penstock.publisher.redis.connection import connect
from penstock.runtime.redis.calls import Death
from penstock.worker.process.app_loader import load_app
from penstock.worker.process.deadline import Deadline
from penstock.worker.process.options import WorkerOptions
from penstock.worker.process.readiness import require_redis
from penstock.worker.process.recovery import remove_worker
from penstock.worker.process.signals import (
    ONE_SIGNAL,
    asked,
    handled,
    how_ended,
    leaving_at_signals,
)
from penstock.worker.process.supervisor_pipe import SupervisorEnd, WorkerEnd
from penstock.worker.process.worker_process import run_worker, set_environment

if TYPE_CHECKING:  # imported only if somebody asks for it
    from penstock.worker.health.processes import ProcessesHealth

logger = logging.getLogger(__name__)

SETTLED: Final = 10.0
"""Seconds after which a process that dies is replaced without a pause."""

LONGEST_PAUSE: Final = 30.0

REFUSED: Final = 1.0
"""Seconds until a process is forked again that the system has refused."""

MARGIN: Final = 6.0
"""Seconds after the grace in which worker processes have ended by themselves."""

CUT_OFF: Final = 4.0
"""The same once they are asked to end at once."""


def supervise(options: WorkerOptions, processes: int) -> int:
    """Keep a number of worker processes alive until asked to stop; returns the exit status.

    The runs of a process that dies go back to their queues at once. The process is replaced: right
    away, or after a growing pause if it keeps dying soon after its start. However the supervisor
    itself ends, its processes drain.

    Raises:
        ConfigurationError: the app cannot be loaded, or the health cannot be served or written.
        RedisUnavailableError: Redis cannot be reached at the start, or cannot be worked with.
    """
    with leaving_at_signals():
        health = _health(options, processes)
        try:
            set_environment(options)
            load_app(options.app)
            require_redis(options.settings, warn=True)
            return _Supervisor(options, processes, health).run()
        finally:
            if health is not None:
                health.close()


def _health(options: WorkerOptions, processes: int) -> ProcessesHealth | None:
    if not options.is_monitored:
        return None
    from penstock.worker.health.processes import ProcessesHealth

    return ProcessesHealth(processes, address=options.health, file=options.health_file)


@dataclasses.dataclass(frozen=True, slots=True)
class _Due:
    """A process that is to be started."""

    at: float
    number: int
    early_deaths: int


@dataclasses.dataclass(slots=True)
class _Child:
    name: str
    began: float
    number: int
    """Which of the processes it is, from 1 on; a replacement has the number of the one before."""
    early_deaths: int
    """How many processes before it, in a row, have died soon after their start."""
    pipe: SupervisorEnd


class _Supervisor:
    """Sleeps until a child dies, a signal comes, or a replacement is due."""

    def __init__(
        self, options: WorkerOptions, processes: int, health: ProcessesHealth | None
    ) -> None:
        self._options = options
        self._children: dict[int, _Child] = {}
        self._due = [_Due(0.0, number, 0) for number in range(1, processes + 1)]
        self._health = health
        self._stopping = False
        self._signalled = -math.inf
        self._ends = math.inf

    def run(self) -> int:
        """Keep the processes alive until asked to stop."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        with handled(self._stop):
            self._keep_alive(reader)
        return 0

    def _keep_alive(self, reader: int) -> None:
        while True:
            self._start_due()
            if not self._children and not self._due:
                return
            asked = [] if self._health is None else self._health.filenos()
            if reader in select.select([reader, *asked], [], [], self._left())[0]:
                os.read(reader, 4096)
            if self._health is not None:
                self._health.look()
            self._reap()
            if time.monotonic() > self._ends:
                self._kill_all()

    def _start_due(self) -> None:
        if self._stopping:
            self._due.clear()
        now = time.monotonic()
        for due in [due for due in self._due if due.at <= now]:
            self._due.remove(due)
            self._fork(due)

    def _left(self) -> float | None:
        """Return the seconds until something is due."""
        at = min((self._ends, *(due.at for due in self._due)))
        if self._health is not None:
            at = min(at, self._health.next_look)
        return None if at == math.inf else max(0.0, at - time.monotonic())

    def _fork(self, due: _Due) -> None:
        name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        # A signal between the fork and its registration would miss the child, or find it half made.
        signal.pthread_sigmask(signal.SIG_BLOCK, asked())
        try:
            pipe = SupervisorEnd()
            pid = self._forked(pipe)
            if pid == 0:
                self._become_worker(name, due.number, pipe)
            now = time.monotonic()
            self._children[pid] = _Child(name, now, due.number, due.early_deaths, pipe)
            if self._health is not None:
                self._health.started(due.number, now)
        except OSError as error:
            logger.warning("the system refuses a worker process, trying again: %s", error)
            self._due.append(dataclasses.replace(due, at=time.monotonic() + REFUSED))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, asked())

    def _forked(self, pipe: SupervisorEnd) -> int:
        try:
            pid = os.fork()
        except OSError:
            pipe.close()
            os.close(pipe.reader)
            raise
        if pid:
            os.close(pipe.reader)
        return pid

    def _become_worker(self, name: str, number: int, pipe: SupervisorEnd) -> NoReturn:
        options = dataclasses.replace(self._options, name=name)
        report, status = None, 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if self._health is not None:
                report = self._health.report(number)
                self._health.leave()
            with leaving_at_signals():
                signal.pthread_sigmask(signal.SIG_UNBLOCK, asked())
                status = run_worker(
                    options,
                    alone=False,
                    deadline=Deadline(),
                    pipe=self._worker_end(pipe),
                    report=report,
                )
        except PenstockError as error:
            logger.error("worker process %s could not start: %s", options.name, error)
        except BaseException:
            logger.exception("worker process %s broke", options.name)
        finally:
            logging.shutdown()
            os._exit(status)

    def _worker_end(self, pipe: SupervisorEnd) -> WorkerEnd:
        """Listen to the supervisor, in a child; and close the pipes of the other children."""
        for child in self._children.values():
            child.pipe.close()
        pipe.close()
        end = WorkerEnd(pipe.reader)
        end.start()
        return end

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                child = self._children.pop(pid)
                child.pipe.close()
                if self._health is not None:
                    self._health.ended(child.number)
                self._replace(child, pid, status, usage.ru_maxrss)

    def _replace(self, child: _Child, pid: int, status: int, peak: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and (self._stopping or self._options.burst):
            return
        reason = (
            f"worker process {pid} ended by {how_ended(code)}, {peak // 1024} MB at its largest"
        )
        logger.error("%s", reason, extra={"worker": child.name, "event": "worker.died"})
        settings = self._options.settings
        try:
            with connect(settings.redis, 1.0) as connection:
                observer = None if self._health is None else self._health.observer
                remove_worker(connection, settings, Death(child.name, reason), observer)
        except (RedisError, OSError) as error:
            logger.warning("its leases end by themselves, Redis does not answer: %s", error)
        young = time.monotonic() - child.began < SETTLED
        deaths = child.early_deaths
        pause = min(0.5 * 2 ** min(deaths - 1, 6), LONGEST_PAUSE) if deaths else 0.0
        at = time.monotonic() + pause * young
        self._due.append(_Due(at, child.number, (deaths + 1) * young))

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        """Let the processes drain; the second time let them end at once."""
        now = time.monotonic()
        again = self._stopping and now - self._signalled > ONE_SIGNAL
        if not self._stopping or again:
            self._signalled = now
            self._ends = now + (CUT_OFF if again else self._options.grace + MARGIN)
        self._stopping = True
        if self._health is not None:
            self._health.drain()
        for pid, child in self._children.items():
            if again:
                child.pipe.cut_off()
            with suppress(ProcessLookupError):  # reaped, and the signal comes before the note of it
                os.kill(pid, signum)

    def _kill_all(self) -> None:
        """End the processes that have not ended by themselves."""
        self._ends = math.inf
        for pid in self._children:
            logger.error("worker process %d does not end, it is killed", pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
