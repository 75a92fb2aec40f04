"""Keeps the leases of a process's runs alive, whatever their code does meanwhile."""

from __future__ import annotations

__all__ = ["LeaseKeeper"]

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.redis.script import run
from penstock.runtime.after_fork import anew_in_children
from penstock.runtime.concurrency.heartbeat import SILENCE, Heartbeat
from penstock.runtime.concurrency.patient_pool import start
from penstock.runtime.errors import Cancelled, Fenced, LeaseUnconfirmed, Stop
from penstock.runtime.redis.calls import Calls
from penstock.runtime.redis.replies import Lease
from penstock.runtime.redis.timed_call import OnCall, timed

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _HeldLease:
    tell: Callable[[Stop], None]
    renewed: float
    is_told: bool = False


class LeaseKeeper:
    """Renews all leases of a process in one call, from a thread and a connection of its own.

    `tell` of a lease is called from that thread when the run is to stop: once because it was
    cancelled, once because the lease is lost. A lease that could not be renewed for its whole
    length counts as lost, by this process's own steady clock; Redis decides by its. As the process
    lives, it tells Redis of what it has lost as soon as that answers: nobody died of these runs.
    """

    def __init__(self, connection: Redis, calls: Calls, *, lease: float, every: float) -> None:
        self._connection = connection
        self._calls = calls
        self._length = lease
        self._every = every
        self._closed = False
        self.on_call: OnCall | None = None
        self.begin_anew()
        anew_in_children(self)

    def begin_anew(self) -> None:
        """Keep none, in a process that has none of the runs."""
        self._held: dict[Lease, _HeldLease] = {}
        self._forgone: set[Lease] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self.heartbeat = Heartbeat(silence=max(SILENCE, 2 * self._every + self._length))

    def add(self, lease: Lease, tell: Callable[[Stop], None]) -> None:
        """Keep a lease from now on."""
        with self._lock:
            self._begin()
            self._held[lease] = _HeldLease(tell, time.monotonic())

    def start(self) -> None:
        """Have the thread, before the system may be short of them."""
        with self._lock:
            self._begin()

    def remove(self, lease: Lease) -> None:
        """Keep it no longer."""
        with self._lock:
            self._held.pop(lease, None)

    def forgo(self, lease: Lease) -> None:
        """Keep it no longer, and tell that its run is lost though this process lives."""
        with self._lock:
            self._held.pop(lease, None)
            self._forgone.add(lease)

    def cancel(self, run_id: str) -> None:
        """Stop the run of this id, if it is one of this process."""
        with self._lock:
            mine = [lease for lease in self._held if lease.run_id == run_id]
        for lease in mine:
            self._tell(lease, Cancelled(f"run {run_id!r} was cancelled"))

    def close(self, patience: float | None = None) -> None:
        """End the thread; wait for it at most `patience` seconds."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(patience)
            if self._thread.is_alive():
                return  # Redis does not answer
        with suppress(RedisError, OSError):
            self._tell_forgone()

    def _begin(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="penstock-leases", daemon=True)
            start(thread)
            self._thread = self.heartbeat.thread = thread

    def _work(self) -> None:
        while not self._wake.wait(self._every):
            self.heartbeat.beat()
            # Before they are listed, as what is given up must not be renewed: nobody executes it.
            self._give_up_old()
            with self._lock:
                leases, told = tuple(self._held), len(self._held) + len(self._forgone)
            try:
                if leases:
                    self._renew(leases)
                self._tell_forgone()
            except (RedisError, OSError) as error:
                logger.warning(
                    "Redis has not taken what it was told of %d leases, trying again: %s",
                    told,
                    error,
                )
                self._give_up_old()

    def _renew(self, leases: Sequence[Lease]) -> None:
        began = time.monotonic()
        call = self._calls.renew(leases, self._length)
        answers = self._calls.words(timed(self._connection, call, self.on_call))
        for lease, answer in zip(leases, answers, strict=True):
            if answer == "LOST":
                self._lost(lease, Fenced(f"another attempt owns run {lease.run_id!r}"))
                continue
            with self._lock:
                if lease in self._held:
                    self._held[lease].renewed = began
            if answer == "CANCEL":
                self._tell(lease, Cancelled(f"run {lease.run_id!r} was cancelled"))

    def _tell_forgone(self) -> None:
        with self._lock:
            leases = tuple(self._forgone)
        if leases:
            run(self._connection, self._calls.forgo(leases))
            with self._lock:
                self._forgone -= set(leases)

    def _give_up_old(self) -> None:
        oldest = time.monotonic() - self._length
        with self._lock:
            old = [lease for lease, kept in self._held.items() if kept.renewed < oldest]
        for lease in old:
            silence = f"Redis has not answered for {self._length:g} s"
            self._lost(
                lease, LeaseUnconfirmed(f"another attempt may own run {lease.run_id!r}: {silence}")
            )

    def _lost(self, lease: Lease, stop: Fenced) -> None:
        with self._lock:
            kept = self._held.pop(lease, None)
            if kept is not None:
                self._forgone.add(lease)
        if kept is not None:
            _notify(kept, stop)

    def _tell(self, lease: Lease, stop: Stop) -> None:
        with self._lock:
            kept = self._held.get(lease)
            if kept is None or kept.is_told:
                return
            kept.is_told = True
        _notify(kept, stop)


def _notify(kept: _HeldLease, stop: Stop) -> None:
    with suppress(RuntimeError):  # its event loop is closed: the attempt has just ended
        kept.tell(stop)
