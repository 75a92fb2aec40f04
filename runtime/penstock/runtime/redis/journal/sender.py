"""Sends what attempts write: the runs of a process share round trips, each keeps its order."""

from __future__ import annotations

__all__ = ["Outbox", "Sender"]

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from redis import Redis
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from penstock.publisher.redis.connection import transient
from penstock.publisher.redis.direct import DirectRedis
from penstock.publisher.redis.script import Argument, Call, Reply, run, run_all
from penstock.runtime.after_fork import anew_in_children
from penstock.runtime.concurrency.heartbeat import Heartbeat
from penstock.runtime.concurrency.patient_pool import start
from penstock.runtime.redis.timed_call import OnCall

logger = logging.getLogger(__name__)

LINGER: Final = 0.002
"""Seconds between two flushes, so that what comes close together travels together."""

MOST_LINGER: Final = 0.016
"""The longest it gets, while what is written is flushed by those who write it."""

CROWD: Final = 3
"""Outboxes with something to send from which on those wait that can."""


class Outbox(Protocol):
    """What one attempt has to send; one call at a time is on its way."""

    sending: threading.Lock

    def next_call(self) -> Call | None:
        """Return the call that is due, the same again until it is settled; None for nothing."""
        ...

    def settle(self, reply: Reply | ResponseError) -> None:
        """Take the answer to the call."""
        ...

    def fail(self, error: BaseException) -> None:
        """Take it that the call cannot be sent, now or later."""
        ...

    @property
    def is_due(self) -> bool:
        """Whether there is anything to send."""
        ...

    @property
    def can_wait(self) -> bool:
        """Whether what there is may travel with what comes next, in some milliseconds."""
        ...


class Sender:
    """A thread and a connection that empty outboxes, again until Redis has answered."""

    def __init__(self, connection: Redis) -> None:
        self.connection = DirectRedis(connection)
        self._closed = False
        self.on_call: OnCall | None = None
        """Called after each round trip, with the names of its scripts and its seconds."""
        self.begin_anew()
        anew_in_children(self)

    def begin_anew(self) -> None:
        """Forget what there was to send, in a process that has none of the runs it is of."""
        self._dirty: dict[Outbox, None] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._asleep = True
        self._pace = LINGER
        self._thread: threading.Thread | None = None
        self.heartbeat = Heartbeat(silence=math.inf)  # it sleeps until there is something to send

    def notice(self, outbox: Outbox, *, urgent: bool = False) -> None:
        """Send what an outbox holds within a few milliseconds; at once where it is urgent."""
        self._dirty[outbox] = None
        if urgent or self._asleep:
            with self._lock:
                self._begin()
                self._asleep = False
                self._wake.set()

    def start(self) -> None:
        """Have the thread, before the system may be short of them."""
        with self._lock:
            self._begin()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to send, and has not been for some milliseconds."""
        return self._asleep and not self._dirty

    def flush(self, outbox: Outbox) -> None:
        """Send what an outbox holds from this thread, and return when it is stored."""
        delay = 0.01
        while True:
            with outbox.sending:
                call = outbox.next_call()
                if call is None:
                    return
                if self._send([outbox], [call]):
                    continue
            time.sleep(delay)
            delay = min(2 * delay, 1.0)

    def ask(self, request: Call | tuple[Argument, ...], check: Callable[[], None]) -> Any:
        """Send what may be sent twice from this thread, until Redis answers or `check` raises."""
        delay = 0.01
        while True:
            check()
            try:
                if isinstance(request, Call):
                    return run(self.connection, request)
                return self.connection.execute_command(*request)
            except (ConnectionError, TimeoutError, OSError) as error:
                logger.warning("Redis does not answer, trying again: %s", error)
            except ResponseError as error:
                if not transient(error):
                    raise
                logger.warning("Redis refuses for now, trying again: %s", error)
            time.sleep(delay)
            delay = min(2 * delay, 1.0)

    def close(self, patience: float | None = None) -> None:
        """Send what is left and end the thread; wait for Redis at most `patience` seconds."""
        self._closed = True
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _begin(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="penstock-sender", daemon=True)
            start(thread)
            self._thread = self.heartbeat.thread = thread

    def _work(self) -> None:
        delay = 0.01
        while self._wait():
            outboxes = list(self._dirty)
            if len(outboxes) >= CROWD:
                outboxes = [outbox for outbox in outboxes if not outbox.can_wait]
            if not outboxes:
                self._pace = LINGER
                continue
            for outbox in outboxes:
                self._dirty.pop(outbox, None)
            if self._send_free(outboxes):
                delay = 0.01
            else:
                time.sleep(delay)
                delay = min(2 * delay, 1.0)

    def _wait(self) -> bool:
        """Return when there is something to send, or False when there never will be again.

        Looks every LINGER seconds while there is traffic, which costs those who write nothing, less
        often where they flush themselves, and sleeps until it is woken where there is none.
        """
        for _ in range(5):
            self._wake.wait(self._pace)
            self._wake.clear()
            if self._dirty:
                return True
        while not self._dirty:
            if self._closed:
                return False
            # It says so before it looks once more: what is noticed after that look wakes it.
            with self._lock:
                self._asleep = True
            if not self._dirty:
                self._wake.wait()
                self._wake.clear()
        self._asleep = False
        return True

    def _send_free(self, outboxes: Sequence[Outbox]) -> bool:
        """Send for those outboxes that no other thread is sending for."""
        mine: list[Outbox] = []
        calls: list[Call] = []
        try:
            for outbox in outboxes:
                if outbox.sending.acquire(blocking=False):
                    mine.append(outbox)
            ready = [(outbox, call) for outbox in mine if (call := outbox.next_call()) is not None]
            calls = [call for _, call in ready]
            self._pace = LINGER if calls else min(2 * self._pace, MOST_LINGER)
            sent = not calls or self._send([outbox for outbox, _ in ready], calls)
        finally:
            for outbox in mine:
                outbox.sending.release()
        for outbox in outboxes:
            if outbox.is_due:  # filled meanwhile, or another thread is sending for it
                self.notice(outbox)
        return sent

    def _send(self, outboxes: Sequence[Outbox], calls: Sequence[Call]) -> bool:
        """Send one call for each outbox; tell whether Redis took them."""
        began = time.perf_counter()
        try:
            replies = run_all(self.connection, calls)
        except (ConnectionError, TimeoutError, OSError) as error:
            logger.warning("Redis does not answer, trying again: %s", error)
            return False
        except UnicodeError as error:  # one of them is no text; this thread is for all of them
            if len(calls) > 1:
                sent = [
                    self._send([box], [call]) for box, call in zip(outboxes, calls, strict=True)
                ]
                return all(sent)
            outboxes[0].fail(error)
            return True
        if self.on_call is not None:
            self.on_call([call.script.name for call in calls], time.perf_counter() - began)
        taken = True
        for outbox, reply in zip(outboxes, replies, strict=True):
            if isinstance(reply, ResponseError) and transient(reply):
                logger.warning("Redis refuses for now, trying again: %s", reply)
                taken = False
            else:
                outbox.settle(reply)
        return taken
