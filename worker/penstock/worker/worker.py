"""The worker: an RQ worker that executes many runs at once in one process."""

from __future__ import annotations

__all__ = ["Worker"]

import logging
import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq.worker import WorkerStatus

from penstock.publisher.cause import explained
from penstock.publisher.codec import Codec
from penstock.publisher.connection import connect, transient
from penstock.publisher.script import run
from penstock.runtime.app import App
from penstock.runtime.entrypoint import AnyEntrypoint
from penstock.runtime.redis.asking import unavailable
from penstock.runtime.redis.calls import Claim, Taken
from penstock.runtime.redis.executor import Executor
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings, load_settings
from penstock.runtime.task import Task
from penstock.worker.base import RQWorker
from penstock.worker.control import Control
from penstock.worker.intake import Intake
from penstock.worker.looping import LoopThread
from penstock.worker.ordinary import OrdinaryJobs
from penstock.worker.recover import Recovery, give_back
from penstock.worker.registration import Registration
from penstock.worker.room import Room
from penstock.worker.signals import handle

logger = logging.getLogger(__name__)

PAUSE: Final = 1
"""Seconds that a look at empty queues blocks; also how long a worker takes to see it is to end."""

ANNOUNCE_EVERY: Final = 5.0
HEARTBEAT_EVERY: Final = 2.0
MAINTENANCE_EVERY: Final = 600.0

EXECUTIONS_TTL: Final = 600
"""Seconds that Redis keeps what a worker was executing as it died."""

KEPT_BACK: Final = 10.0
"""Seconds that a suspect waits at most for the end of what its worker has at work."""

HANDING_OVER: Final = 4.0
"""Seconds after the grace in which a worker stores what it has, hands its runs over and leaves."""

LEAVING: Final = 1.0
"""Seconds of these that are kept for the farewell to RQ."""

CUT_OFF: Final = 2.0
"""Seconds that a worker has to end once it was asked twice."""

ONE_SIGNAL: Final = 0.5
"""Seconds within which two signals count as one: a terminal's reaches a process by several ways."""


class Worker(RQWorker):
    """Takes runs off queues and executes up to `concurrency` of them at once.

    Queues are served in the order given. RQ sees an ordinary worker: its heartbeats, what it is
    executing, suspend and resume, shutdown and stop-job commands. Ordinary RQ jobs on its queues
    run too, in threads, with RQ's own serializer. `tasks` are those with a queue of their own, by
    name, for their steps on the queues of this worker.
    """

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: Redis | str | None = None,
        entrypoints: Mapping[str, AnyEntrypoint],
        tasks: Mapping[str, Task[..., Any]] | None = None,
        settings: Settings | None = None,
        concurrency: int = 50,
        grace: float = 25.0,
        name: str | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        given = self._given = self.settings.redis if connection is None else connection
        self._world = World(self.settings.prefix)
        listed = [self._world.queue(queue) for queue in queues]
        super().__init__(listed, name=name or uuid.uuid4().hex, connection=connect(given))
        self._concurrency = concurrency
        self._grace = grace
        self._room = Room(concurrency)
        self._loop = LoopThread()
        self._executor = Executor(
            given,
            App(entrypoints, tasks or {}),
            self.settings,
            codec=codec,
            on_end=self._room.leave,
        )
        calls = self._executor.calls
        app = self._executor.app.digest
        self._intake = Intake(connect(given), calls, self.settings, self.name, list(queues), app)
        self._ordinary = OrdinaryJobs(self, on_end=self._room.leave)
        self._control = Control(connect(given), calls.keys.control, self._executor.heed)
        self._recovery = Recovery(connect(given), self.settings, also=self._tick)
        self._registration = Registration(self, self._give_back)
        self._begun = threading.Event()
        self._begun.set()
        self._cut = threading.Event()
        self.is_cut = False
        """Whether it ended with runs that did not let themselves be broken off."""
        self.one_signal = ONE_SIGNAL
        self.on_deadline: Callable[[float], object] = lambda seconds: None
        """Is told in how many seconds the worker is to have ended, once it is asked to."""
        self._asked_to_stop = 0.0
        self._signalled = -math.inf
        self._ends = 0.0
        self._due: dict[str, float] = {}
        self._kept: tuple[str, str] | None = None
        """Ticket of a suspect, which is begun by itself: when nothing else is at work, or then."""
        self._kept_until = 0.0

    def work(self, burst: bool = False, *_: Any, **__: Any) -> bool:
        """Take and execute runs until asked to stop, or in a burst until the queues are empty.

        Returns whether there was anything to do. Call it from the main thread, which gets the
        signals: the first SIGTERM, SIGINT or SIGHUP drains the worker, a second one cuts it off.

        Raises:
            ConfigurationError: a live worker has the name of this one.
        """
        worked = False
        handle(self.request_stop)
        try:
            self._start()
            while not self._stop_requested:
                taken = self._take(burst)
                if taken is None:
                    break
                worked = worked or bool(taken.claims or taken.job)
        finally:
            self._finish()
        return worked

    def _start(self) -> None:
        while not self._introduce():
            if self._stop_requested:
                return
            time.sleep(PAUSE)
        parts = (self._executor, self._loop, self._ordinary, self._control, self._recovery)
        for part in parts:
            part.start()
        logger.info(
            "worker %s takes %d runs at once from %s",
            self.name,
            self._concurrency,
            ", ".join(self.queue_names()),
            extra={"worker": self.name, "event": "worker.started"},
        )

    def _introduce(self) -> bool:
        """Let Redis and RQ know of this worker; tell whether they do."""
        try:
            if not self._registration.take():
                return False
            self.set_state(WorkerStatus.IDLE)
            self._tick()
            self.subscribe()
        except RedisError as error:
            if not transient(error):
                raise unavailable(error, self.connection) from error
            logger.warning("Redis does not answer, or refuses for now: %s", explained(error))
        except (OSError, RuntimeError) as error:  # the system refuses a socket, or a thread
            logger.warning("worker %s cannot start yet, trying again: %s", self.name, error)
        else:
            return True
        return False

    def _give_back(self, reason: str) -> None:
        """End the leases of the worker that had this one's name."""
        give_back(self.connection, self.settings, self.name, reason)

    def _take(self, burst: bool) -> Taken | None:
        """Take what there is; None when a burst is over."""
        nothing = Taken((), None)
        room = self._room.free(PAUSE)
        if room == 0 or not self._begun.wait(PAUSE) or self._is_isolated():
            return nothing
        was_busy = self._room.busy > 0
        try:
            taken = self._look(burst, room)
            if burst and not (taken or taken.kept or taken.is_unknown or self._kept):
                self._room.wait(PAUSE)
                return nothing if was_busy else None
        except (ConnectionError, TimeoutError, OSError) as error:
            logger.warning("Redis does not answer: %s", explained(error))
            time.sleep(PAUSE)
            return nothing
        except RedisError as error:
            logger.warning("Redis refuses: %s", explained(error))
            if not transient(error):  # else the same call again, with the ticket it has popped
                self._intake.forget()
            time.sleep(PAUSE)
            return nothing
        self._begin(taken)
        return taken

    def _is_isolated(self) -> bool:
        """Tell whether a run is here that is to be alone, after waiting for its end."""
        if not self._executor.suspects:
            return False
        self._room.wait(PAUSE)
        return True

    def _look(self, burst: bool, room: int) -> Taken:
        if self._kept is not None:
            return self._take_kept(self._kept)
        taken = Taken((), None)
        if burst or not self._intake.is_dry:
            taken = self._intake.claim(room, self._room.busy)
        if burst or taken or taken.kept or taken.is_unknown:
            return taken
        return self._wait_for_ticket(room)

    def _take_kept(self, kept: tuple[str, str]) -> Taken:
        if self._room.busy and time.monotonic() < self._kept_until:
            self._room.wait(PAUSE)
            return Taken((), None)
        taken = self._intake.claim(1, self._room.busy, kept, alone=True)
        self._kept = None
        return taken

    def _wait_for_ticket(self, room: int) -> Taken:
        popped = self._intake.pop(PAUSE)
        taken = Taken((), None)
        if popped is None:
            self._intake.look_again()
        if popped and self._stop_requested:
            self._intake.put_back(popped)
            return taken
        if popped:
            taken = self._intake.claim(room, self._room.busy, popped)
        while not taken and self._intake.is_suspended() and not self._stop_requested:
            self.set_state(WorkerStatus.SUSPENDED)
            time.sleep(PAUSE)
        return taken

    def _begin(self, taken: Taken) -> None:
        for run_id in taken.spoilt:
            extra = {"run_id": run_id, "event": "run.spoilt"}
            logger.error("run %s cannot be taken, its keys are spoilt", run_id, extra=extra)
        if taken.is_unknown:
            self._announce()
        if taken.kept is not None:
            self._kept, self._kept_until = taken.kept, time.monotonic() + KEPT_BACK
        self._room.enter(len(taken.claims) + (taken.job is not None))
        if taken.claims:
            self._begun.clear()  # no more are taken while something blocks the loop
            self._loop.call(self._begin_runs, taken.claims)
        if taken.job is not None:
            queue, job_id = taken.job
            self._ordinary.begin(self._world.queue(queue), job_id)

    def _begin_runs(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            try:
                self._executor.begin(claim)
            except (KeyError, ValueError):  # its lease ends by itself
                run_id = claim.lease.run_id
                logger.exception("the record of run %s is spoilt", run_id, extra={"run_id": run_id})
                self._room.leave()
        self._begun.set()

    def request_stop(self, signum: int | None, frame: FrameType | None) -> None:
        """Begin to drain; the second time, unless the signals are one, cut what still runs."""
        now = time.monotonic()
        if now - self._signalled < self.one_signal:
            return
        self._signalled = now
        self.cut_off() if self._stop_requested else self.drain()

    def drain(self) -> None:
        """Take nothing new and hand the runs over, within the grace; from any thread."""
        if self._stop_requested:
            return
        self._stop_requested = True
        self._asked_to_stop = time.monotonic()
        self._end_in(self._grace + HANDING_OVER)
        self.on_deadline(self._grace + HANDING_OVER)
        logger.info("worker %s ends: handing its runs over", self.name)
        self._loop.call(self._executor.hand_over)

    def cut_off(self) -> None:
        """Break off what still runs, and end without delay; from any thread."""
        self.drain()
        seconds = 0.0 if self._cut.is_set() else CUT_OFF  # asked a third time: it hangs
        self._cut.set()
        self._end_in(seconds)
        self.on_deadline(seconds)

    def _end_in(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def _finish(self) -> None:
        """End everything within what is left of the one budget for it, whatever hangs."""
        if not self._ends:
            self._end_in(self._grace + HANDING_OVER)
        self._drain()
        self._put_kept_back()
        self._ordinary.close(0.0 if self.is_cut else LEAVING)
        self._recovery.close(self._left(LEAVING))
        self._control.close()
        self._executor.close(self._left(LEAVING))
        self._loop.close()
        try:
            self._take_leave()
        except (RedisError, OSError) as error:
            logger.warning("Redis does not answer at the end of worker %s: %s", self.name, error)
        logger.info("worker %s has ended", self.name, extra={"event": "worker.ended"})

    def _put_kept_back(self) -> None:
        if self._kept is not None:
            with suppress(RedisError, OSError):  # recovery rings for it as well
                self._intake.put_back(self._kept)

    def _left(self, kept: float = 0.0) -> float:
        """Return the seconds left to end in, without some that are kept for what comes after."""
        return max(0.1, self._ends - kept - time.monotonic())

    def _take_leave(self) -> None:
        if self.birth_date is None:
            return
        self.connection = connect(self._given, self._left() / 2)  # to connect, and to answer
        self.unsubscribe()
        self._registration.release()

    def join(self, timeout: float) -> bool:
        """Wait for the threads of runs and jobs to end, after the work; tell whether all have."""
        end = time.monotonic() + timeout
        parts = (self._executor, self._ordinary, self._loop)
        return all([part.join(max(0.0, end - time.monotonic())) for part in parts])

    def _drain(self) -> None:
        """Let runs come to a step's end, at most for the grace, then cut what still runs."""
        self._loop.call(self._executor.hand_over)
        end = (self._asked_to_stop or time.monotonic()) + self._grace
        while self._room.busy and time.monotonic() < end and not self._cut.is_set():
            self._room.wait(0.1)
        self.is_cut = self._room.busy > 0
        if self.is_cut:
            self._loop.call(self._executor.cut)
            self._room.wait(1.0)
            self._executor.let_go()

    def _tick(self) -> None:
        """Do what is due about each second; in the recovery's thread."""
        if not self._registration.is_held():
            self._give_way()
            return
        self._ordinary.grow()
        state = WorkerStatus.BUSY if self._room.busy else WorkerStatus.IDLE
        if self.get_state() != state and not self._stop_requested:
            self.set_state(state)
        if self._is_due("announce", ANNOUNCE_EVERY):
            self._announce()
        if self._is_due("heartbeat", HEARTBEAT_EVERY):
            with self.connection.pipeline(transaction=False) as pipeline:
                self.heartbeat(pipeline=pipeline)
                pipeline.expire(self._executor.calls.keys.executions(self.name), EXECUTIONS_TTL)
                pipeline.execute()
        if self._is_due("maintenance", MAINTENANCE_EVERY):
            self._clean()

    def _announce(self) -> None:
        """Say what this worker can execute."""
        call = self._executor.calls.announce(self._executor.app, 3 * ANNOUNCE_EVERY)
        run(self.connection, call)

    def _give_way(self) -> None:
        """End, as another worker took this one for dead and has its name."""
        if not self._stop_requested:
            logger.error("another worker has taken the name %s: this one ends", self.name)
            self.drain()

    def _clean(self) -> None:
        """Let RQ look after its own jobs; what it trips over is no reason to end."""
        try:
            self.clean_registries()
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

    def stop_job(self, job_id: str) -> None:
        """Stop an ordinary job of this worker, or cancel a run."""
        if not self._ordinary.stop(job_id):
            calls = self._executor.calls
            run(self.connection, calls.cancel(self._world.run(job_id), "stopped by an RQ command"))
