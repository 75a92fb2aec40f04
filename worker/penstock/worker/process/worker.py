"""The worker: an RQ worker that executes many runs at once in one process."""

from __future__ import annotations

__all__ = ["Worker"]

import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, Final

from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq.worker import WorkerStatus

from penstock.publisher.codec.codec import Codec
from penstock.publisher.redis.cause import explained
from penstock.publisher.redis.connection import connect, transient
from penstock.publisher.redis.retries import unavailable
from penstock.publisher.redis.script import run
from penstock.runtime.executor.app import AnyExecutable, App
from penstock.runtime.executor.executor import Executor
from penstock.runtime.executor.observer import Observer
from penstock.runtime.func.task import Task
from penstock.runtime.redis.calls import Death
from penstock.runtime.redis.replies import Claim, Taken
from penstock.runtime.redis.world import World
from penstock.runtime.settings import Settings, load_settings
from penstock.worker.health.vitals import Vitals
from penstock.worker.process.capacity import Capacity
from penstock.worker.process.consumer import Consumer
from penstock.worker.process.control_listener import ControlListener
from penstock.worker.process.event_loop import LoopThread
from penstock.worker.process.older_runs import refuse_older_runs
from penstock.worker.process.poller import PAUSE, Poller
from penstock.worker.process.presence import Presence
from penstock.worker.process.recovery import Recovery, end_leases
from penstock.worker.process.registration import Registration
from penstock.worker.process.rq_jobs import OrdinaryJobs
from penstock.worker.process.rq_worker import RQWorker
from penstock.worker.process.shutdown import Shutdown
from penstock.worker.process.signals import handled
from penstock.worker.process.upkeep import Upkeep
from penstock.worker.webhooks.sender import Sender

logger = logging.getLogger(__name__)

LEAVING: Final = 1.0
"""Seconds of the shutdown that are reserved for unregistering from RQ."""


class Worker(RQWorker):
    """Takes runs off queues and executes up to `concurrency` of them at once.

    Queues are served in the order given. RQ sees an ordinary worker: its heartbeats, what it is
    executing, suspend and resume, shutdown and stop-job commands. Ordinary RQ jobs on its queues
    run too, in threads, with RQ's own serializer. `tasks` are those with a queue of their own, by
    name, for their steps on the queues of this worker. `observer` is told what the worker does.
    """

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: Redis | str | None = None,
        entrypoints: Mapping[str, AnyExecutable],
        tasks: Mapping[str, Task[..., Any]] | None = None,
        settings: Settings | None = None,
        concurrency: int = 50,
        grace: float = 25.0,
        name: str | None = None,
        codec: Codec | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        given = self._given = self.settings.redis if connection is None else connection
        self._world = World(self.settings.prefix)
        listed = [self._world.queue(queue) for queue in queues]
        super().__init__(listed, name=name or uuid.uuid4().hex, connection=connect(given))
        self._concurrency = concurrency
        self.shutdown = Shutdown(grace)
        self._capacity = Capacity(concurrency)
        self._loop = LoopThread()
        self._executor = Executor(
            given,
            App(entrypoints, tasks or {}),
            self.settings,
            codec=codec,
            on_end=self._capacity.leave,
            observer=observer,
        )
        self._observer = observer
        calls = self._executor.calls
        app = self._executor.app.token
        consumer = Consumer(
            connect(given), calls, self.settings, self.name, list(queues), app, observer
        )
        self._poller = Poller(self, consumer, self._capacity)
        self._ordinary = OrdinaryJobs(self, on_end=self._capacity.leave)
        self._registration = Registration(self, self._end_leases, app)
        presence = Presence(calls.keys, self.name, self._registration.note_presence)
        self._control = ControlListener(
            connect(given),
            (calls.keys.control, presence.channel),
            self._executor.on_message,
            lambda: presence.note(self.connection),
        )
        self._sender = Sender(given, self.settings, codec)
        self._upkeep = Upkeep(
            self,
            self._registration,
            self._executor,
            self._ordinary,
            self._capacity,
            self._end_replaced,
            self._sender.need,
        )
        self.vitals = Vitals()
        self._recovery = Recovery(
            connect(given),
            self.settings,
            also=self._upkeep.tick,
            on_answer=self.vitals.answered,
            observer=observer,
            own=self.name,
        )
        self._begun = threading.Event()
        self._begun.set()
        self.is_cut = False
        """Whether the worker ended with runs that could not be cancelled."""

    @property
    def busy(self) -> int:
        """How many runs and jobs are at work."""
        return self._capacity.busy

    @property
    def loop_lag(self) -> float:
        """How many seconds the event loop has last taken to respond."""
        return self._loop.lag

    def work(self, burst: bool = False, *_: Any, **__: Any) -> bool:
        """Take and execute runs until asked to stop, or in a burst until the queues are empty.

        Returns whether there was anything to do. Call it from the main thread, which gets the
        signals: the first SIGTERM, SIGINT or SIGHUP drains the worker, a second one cuts it off.

        Raises:
            ConfigurationError: a live worker has the name of this one; or there are open runs of a
                version that kept them in another way.
        """
        with handled(self.request_stop):
            try:
                self._start()
                return self._work(burst)
            finally:
                self._finish()

    def _work(self, burst: bool) -> bool:
        worked = False
        while not self._stop_requested:
            self._poller.heartbeat.beat()
            slots = self._free_slots()
            if not slots:
                continue
            was_busy = self._capacity.busy > 0
            try:
                taken = self._poller.poll(burst, slots)
                if taken is not None:
                    self._begin(taken)
                    worked = worked or bool(taken)
                elif burst and not was_busy:
                    break
                elif burst:
                    self._capacity.wait(PAUSE)
            except (RedisError, OSError) as error:
                self._wait_after(error)
        return worked

    def _start(self) -> None:
        while not self._register():
            if self._stop_requested:
                return
            time.sleep(PAUSE)
        parts = (self._executor, self._loop, self._ordinary, self._control, self._recovery)
        for part in parts:
            part.start()
        self.vitals.follow(
            {
                "dispatcher": self._poller.heartbeat,
                "loop": self._loop.heartbeat,
                "recovery": self._recovery.heartbeat,
                "control": self._control.heartbeat,
                **self._executor.heartbeats,
            }
        )
        logger.info(
            "worker %s takes %d runs at once from %s",
            self.name,
            self._concurrency,
            ", ".join(self.queue_names()),
            extra={"worker": self.name, "event": "worker.started"},
        )

    def _register(self) -> bool:
        """Register with Redis and RQ; return whether that is done."""
        try:
            refuse_older_runs(self.connection, self._executor.calls.keys)
            if not self._registration.take():
                return False
            self.set_state(WorkerStatus.IDLE)
            self._upkeep.tick()
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

    def _end_leases(self, reason: str) -> None:
        """End the leases of the worker that had this one's name."""
        end_leases(self.connection, self.settings, Death(self.name, reason), self._observer)

    def _free_slots(self) -> int:
        """Return how many runs may begin now; if none may, wait for a change first."""
        slots = self._capacity.free(PAUSE)
        if not slots or not self._begun.wait(PAUSE):
            return 0
        if self._executor.has_suspect:  # it must run alone
            self._capacity.wait(PAUSE)
            return 0
        return slots

    def _wait_after(self, error: Exception) -> None:
        """Wait a moment after Redis did not answer, or refused."""
        if isinstance(error, ConnectionError | TimeoutError | OSError):
            logger.warning("Redis does not answer: %s", explained(error))
        else:
            logger.warning("Redis refuses: %s", explained(error))
            if not transient(error):  # else the same call again, with the ticket it has popped
                self._poller.forget()
        time.sleep(PAUSE)

    def _begin(self, taken: Taken) -> None:
        for run_id in taken.corrupt:
            extra = {"run_id": run_id, "event": "run.corrupt"}
            logger.error("run %s cannot be taken, its keys are corrupt", run_id, extra=extra)
        if taken.suspect is not None:
            self._poller.hold_back(taken.suspect)
        self._capacity.enter(len(taken.claims) + (taken.job is not None))
        if taken.claims:
            self._begun.clear()  # no more are taken while something blocks the loop
            self._loop.call(self._begin_runs, taken.claims)
        if taken.job is not None:
            queue, job_id = taken.job
            self._ordinary.begin(self._world.queue(queue), job_id)
        if taken.is_unknown:  # the last, as Redis may not answer
            self._upkeep.announce()

    def _begin_runs(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            try:
                self._executor.begin(claim)
            except (KeyError, ValueError):  # its lease ends by itself
                run_id = claim.lease.run_id
                logger.exception(
                    "the record of run %s is corrupt", run_id, extra={"run_id": run_id}
                )
                self._capacity.leave()
        self._begun.set()

    def request_stop(self, signum: int | None, frame: FrameType | None) -> None:
        """Begin to drain; at the second signal, cancel what still runs."""
        if not self.shutdown.is_repeated():
            self.cut_off() if self._stop_requested else self.drain()

    def drain(self) -> None:
        """Take nothing new and hand the runs over, within the grace; from any thread."""
        if self._stop_requested:
            return
        self.shutdown.begin()
        self.vitals.drain()
        self._stop_requested = True
        logger.info("worker %s ends: handing its runs over", self.name)
        self._loop.call(self._executor.hand_over)

    def cut_off(self) -> None:
        """Cancel what still runs, and end without delay; from any thread."""
        self.drain()
        self.shutdown.cut_off()

    def _finish(self) -> None:
        """End everything within the time that is left, whatever hangs."""
        self.shutdown.end()
        self.vitals.drain()
        self._drain()
        self._poller.close()
        self._ordinary.close(0.0 if self.is_cut else LEAVING)
        self._recovery.close(self.shutdown.left(LEAVING))
        self._sender.close(0.0 if self.is_cut else min(LEAVING, self.shutdown.left(LEAVING)))
        self._control.close()
        self._executor.close(self.shutdown.left(LEAVING))
        self._loop.close()
        try:
            self._unregister()
        except (RedisError, OSError) as error:
            logger.warning("Redis does not answer at the end of worker %s: %s", self.name, error)
        self.connection.close()
        logger.info("worker %s has ended", self.name, extra={"event": "worker.ended"})

    def _unregister(self) -> None:
        if self.birth_date is None:
            return
        before = self.connection
        # Half of what is left to connect, and half to answer.
        self.connection = connect(self._given, self.shutdown.left() / 2)
        self.unsubscribe()
        before.close()  # not earlier, as the thread that listens for RQ's commands uses it
        self._registration.release()

    def join(self, timeout: float) -> bool:
        """Wait for the threads of runs and jobs to end, after the work; return whether all have."""
        end = time.monotonic() + timeout
        parts = (self._executor, self._ordinary, self._loop)
        return all([part.join(max(0.0, end - time.monotonic())) for part in parts])

    def _drain(self) -> None:
        """Let runs come to the end of a step, at most for the grace, then cancel the others."""
        self._loop.call(self._executor.hand_over)
        while self._capacity.busy and self.shutdown.is_within_grace():
            self._capacity.wait(0.1)
        self.is_cut = self._capacity.busy > 0
        if self.is_cut:
            self._loop.call(self._executor.cut)
            self._capacity.wait(1.0)
            self._executor.hand_over_stuck()

    def _end_replaced(self) -> None:
        """End, because another worker took this one for dead and has its name."""
        if not self._stop_requested:
            logger.error("another worker has taken the name %s: this one ends", self.name)
            self.drain()

    def stop_job(self, job_id: str) -> None:
        """Stop an ordinary job of this worker, or cancel a run."""
        if not self._ordinary.stop(job_id):
            calls = self._executor.calls
            run(self.connection, calls.cancel(self._world.run(job_id), "stopped by an RQ command"))
