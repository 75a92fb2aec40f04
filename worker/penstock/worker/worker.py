"""The worker: an RQ worker that executes many runs at once in one process."""

from __future__ import annotations

__all__ = ["Worker"]

import asyncio
import json
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError
from rq.timeouts import TimerDeathPenalty
from rq.worker import BaseWorker, WorkerStatus

from penstock.publisher.connection import connect
from penstock.publisher.script import Call, run
from penstock.runtime.entrypoint import AnyEntrypoint
from penstock.runtime.redis.calls import Claim, Taken
from penstock.runtime.settings import Settings, load_settings
from penstock.worker.executor import Executor
from penstock.worker.ordinary import OrdinaryJobs
from penstock.worker.recover import Recovery
from penstock.worker.watchdog import Watchdog

logger = logging.getLogger(__name__)

POP_TIMEOUT: Final = 1
"""Seconds that a look at empty queues blocks; also how long a worker takes to see it is to end."""

BATCH: Final = 64
"""Runs claimed in one round trip, at most."""

ANNOUNCE_EVERY: Final = 5.0
HEARTBEAT_EVERY: Final = 15.0
MAINTENANCE_EVERY: Final = 600.0


class Worker(BaseWorker):
    """Takes runs off queues and executes up to `concurrency` of them at once.

    Queues are served in the order given. RQ sees an ordinary worker: its heartbeats, what it is
    executing, suspend and resume, shutdown and stop-job commands. Ordinary RQ jobs on its queues
    run too, in threads, with RQ's own serializer.
    """

    death_penalty_class = TimerDeathPenalty

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: Redis | str | None = None,
        entrypoints: Mapping[str, AnyEntrypoint],
        settings: Settings | None = None,
        concurrency: int = 50,
        grace: float = 25.0,
        name: str | None = None,
    ) -> None:
        self.settings = settings or load_settings()
        self._given = self.settings.redis if connection is None else connection
        super().__init__(
            list(queues), name=name or uuid.uuid4().hex, connection=connect(self._given)
        )
        self._concurrency = concurrency
        self._grace = grace
        self._popping = connect(self._given)
        self._executor = Executor(self._given, entrypoints, self.settings, on_end=self._one_ended)
        self._ordinary = OrdinaryJobs(self, on_end=self._one_ended)
        self._recovery = Recovery(connect(self._given), self.settings, also=self._tick)
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(
            target=self._run_loop, name="penstock-loop", daemon=True
        )
        self._watchdog = Watchdog(self._loop, self._loop_thread)
        self._cut = asyncio.Event()
        self._room = threading.Condition()
        self._busy = 0
        self._asked_to_stop = 0.0
        self._unanswered: Call | None = None
        self._due: dict[str, float] = {}

    # -- the loop -------------------------------------------------------------------------------

    def work(self, burst: bool = False, *_: Any, **__: Any) -> bool:
        """Take and execute runs until asked to stop, or in a burst until the queues are empty.

        Returns whether there was anything to do. Call it from the main thread, which gets the
        signals: the first SIGTERM or SIGINT drains the worker, a second one cuts it off.
        """
        worked = False
        self._start()
        try:
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
            time.sleep(POP_TIMEOUT)
        if threading.current_thread() is threading.main_thread():
            self._install_signal_handlers()
        self._loop_thread.start()
        self._watchdog.start()
        threading.Thread(target=self._listen, name="penstock-control", daemon=True).start()
        self._recovery.start()
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
            if self.birth_date is None or not self.connection.exists(self.key):
                self.register_birth()
            self.set_state(WorkerStatus.IDLE)
            self._tick()
        except (ConnectionError, TimeoutError, OSError) as error:
            self._wait_for_redis(error)
            return False
        self.subscribe()
        return True

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _take(self, burst: bool) -> Taken | None:
        """Claim what there is; None when a burst is over."""
        room = self._wait_for_room()
        if room == 0:
            return Taken((), None)
        try:
            taken = self._claim(room, ("", ""))
            if not taken.claims and taken.job is None:
                if burst:
                    return self._end_of_burst()
                popped = self._pop()
                if popped is not None:
                    taken = self._claim(room, popped)
        except (RedisError, OSError) as error:
            self._wait_for_redis(error)
            return Taken((), None)
        self._begin(taken)
        return taken

    def _end_of_burst(self) -> Taken | None:
        """Wait for the runs that are being executed, as they may bring others."""
        with self._room:
            if self._busy == 0:
                return None
            self._room.wait(POP_TIMEOUT)
        return Taken((), None)

    def _wait_for_room(self) -> int:
        with self._room:
            if self._busy >= self._concurrency:
                self._room.wait(POP_TIMEOUT)
            return min(self._concurrency - self._busy, BATCH)

    def _claim(self, room: int, popped: tuple[str, str]) -> Taken:
        """Claim runs; where the answer was lost, the very same call is sent again."""
        calls = self._executor.calls
        if self._unanswered is None:
            self._unanswered = calls.take(
                self.name,
                uuid.uuid4().hex[:16],
                self.settings.lease,
                room,
                self.queue_names(),
                popped,
                self._executor.suspects,
                self.settings.crashes,
            )
        taken = calls.taken(run(self._popping, self._unanswered))
        self._unanswered = None
        if popped[1] and not taken.claims and taken.job is None:
            self._wait_while_suspended()
        return taken

    def _pop(self) -> tuple[str, str] | None:
        """Block until a ticket comes; returns its queue and itself.

        A worker that dies right after this loses the ticket, not the run: recovery rings again.
        """
        popped = cast(Any, self._popping.blpop(self.queue_keys(), POP_TIMEOUT))
        if popped is None:
            self._wait_while_suspended()
            return None
        key, ticket = popped
        prefix = f"{self.settings.rq_prefix}:queue:"
        return key.decode().removeprefix(prefix), ticket.decode("utf-8", "replace")

    def _wait_while_suspended(self) -> None:
        flag = self._executor.calls.keys.suspended
        while not self._stop_requested and self._popping.exists(flag):
            self.set_state(WorkerStatus.SUSPENDED)
            time.sleep(POP_TIMEOUT)

    def _wait_for_redis(self, error: Exception) -> None:
        transient = isinstance(error, (ConnectionError, TimeoutError, OSError))
        logger.warning("Redis %s: %s", "does not answer" if transient else "refuses", error)
        if not transient:
            self._unanswered = None  # the next try is not to meet the same refusal
        time.sleep(POP_TIMEOUT)

    def _begin(self, taken: Taken) -> None:
        with self._room:
            self._busy += len(taken.claims) + (taken.job is not None)
        if taken.claims:
            self._loop.call_soon_threadsafe(self._begin_runs, taken.claims)
        if taken.job is not None:
            self._ordinary.begin(*taken.job)

    def _begin_runs(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            try:
                self._executor.begin(claim)
            except (KeyError, ValueError):  # its lease ends by itself
                run_id = claim.lease.run_id
                logger.exception("the record of run %s is spoilt", run_id, extra={"run_id": run_id})
                self._one_ended()

    def _one_ended(self) -> None:
        with self._room:
            self._busy -= 1
            self._room.notify()

    # -- the end --------------------------------------------------------------------------------

    def request_stop(self, signum: int | None, frame: FrameType | None) -> None:
        """Begin to drain; the second time, if not within a second, cut what still runs."""
        now = time.monotonic()
        if not self._stop_requested:
            self._stop_requested = True
            self._asked_to_stop = now
            logger.info("worker %s ends: handing its runs over", self.name)
        elif now - self._asked_to_stop > 1:
            self._loop.call_soon_threadsafe(self._cut.set)

    def _finish(self) -> None:
        drained = asyncio.run_coroutine_threadsafe(
            self._executor.drain(self._grace, self._cut), self._loop
        )
        drained.result()
        self._ordinary.close(self._grace)
        self._recovery.close()
        self._watchdog.close()
        self._executor.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        try:
            self.unsubscribe()
            self.register_death()
        except (RedisError, OSError) as error:
            logger.warning("Redis does not answer at the end of worker %s: %s", self.name, error)
        logger.info("worker %s has ended", self.name, extra={"event": "worker.ended"})

    # -- beside the loop ------------------------------------------------------------------------

    def _tick(self) -> None:
        """Do what is due about each second; in the recovery's thread."""
        busy = WorkerStatus.BUSY if self._busy else WorkerStatus.IDLE
        if self.get_state() != busy and not self._stop_requested:
            self.set_state(busy)
        if self._is_due("announce", ANNOUNCE_EVERY):
            names = self._executor.entrypoints
            run(self.connection, self._executor.calls.announce(names, 3 * ANNOUNCE_EVERY))
        if self._is_due("heartbeat", HEARTBEAT_EVERY):
            self.heartbeat()
        if self._is_due("maintenance", MAINTENANCE_EVERY):
            self.clean_registries()

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if self._due.get(what, 0.0) > now:
            return False
        self._due[what] = now + every
        return True

    def _listen(self) -> None:
        """Hear of cancelled runs at once; what is missed here comes with the next renewal."""
        channel = self._executor.calls.keys.control
        client = connect(self._given)
        while not self._stop_requested:
            try:
                with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(channel)
                    while not self._stop_requested:
                        message = cast(Any, pubsub.get_message(timeout=POP_TIMEOUT))
                        if message is not None:
                            self._executor.cancel(message["data"].decode("utf-8", "replace"))
            except (RedisError, OSError):
                time.sleep(POP_TIMEOUT)

    # -- what RQ calls --------------------------------------------------------------------------

    def _set_ip_address(self, connection: Redis) -> None:
        """Ask Redis for this worker's address, which an emulated server does not know."""
        try:
            super()._set_ip_address(connection)
        except (RedisError, ValueError):
            self.ip_address = "unknown"

    def _set_connection(self, connection: Redis) -> Redis:
        """Keep the connection as it is: it is this worker's own."""
        return connection

    def handle_payload(self, message: Mapping[str, Any]) -> None:
        """Do what an RQ command says: shutdown, stop-job, stop-execution; ignore all else."""
        try:
            payload = json.loads(message["data"])
            command, job_id = payload["command"], str(payload.get("job_id", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("ignored a command that is not one of RQ's")
            return
        if command == "shutdown":
            os.kill(os.getpid(), signal.SIGINT)
        elif command in ("stop-job", "stop-execution") and not self._ordinary.stop(job_id):
            calls = self._executor.calls
            run(self.connection, calls.cancel(job_id, "stopped by an RQ command"))

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Keep listening, whatever went wrong."""
        logger.warning("the line for RQ's commands broke, trying again: %s", exc)
        time.sleep(POP_TIMEOUT)
