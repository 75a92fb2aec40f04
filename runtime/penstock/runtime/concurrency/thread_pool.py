"""Threads for sync bodies; a body whose caller waits for it runs in the caller's thread."""

from __future__ import annotations

__all__ = ["Job", "ThreadPool"]

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from penstock.runtime.after_fork import anew_in_children
from penstock.runtime.concurrency.patient_pool import PatientPool, start

GRACE: Final = 0.001
"""Seconds in which the caller of a step can run it itself, by asking for its result."""

MOST_GRACE: Final = 0.004
"""The longest it gets, while bodies do so."""

REFUSED: Final = 0.1
"""Seconds between two tries to start a thread that the system refuses."""

MOST: Final = 10_000
"""Threads at most; how many bodies run is up to the limiter of each attempt."""


class Job(Protocol):
    """Something to run once, by whichever thread comes first."""

    @property
    def is_taken(self) -> bool:
        """Whether a thread has begun it."""
        ...

    def run(self) -> None:
        """Run it, unless it is taken."""
        ...


class ThreadPool:
    """A pool of threads, and a dispatcher that gives it the jobs that no caller runs itself.

    A body that calls a step and asks for its result runs the step in its own thread: to hand it to
    another thread and back would cost several times as much as a small step.
    """

    def __init__(self, pool: ThreadPoolExecutor | None = None) -> None:
        self._given = pool
        self._closed = False
        self.begin_anew()
        anew_in_children(self)

    def begin_anew(self) -> None:
        """Begin without threads and jobs, in a process that has none of them."""
        self._own_pool = PatientPool(MOST, "penstock", self._on_short)
        self._pool: ThreadPoolExecutor = self._given or self._own_pool
        self._jobs: deque[Job] = deque()
        self._wake = threading.Event()
        self._is_waiting = True
        self._lock = threading.Lock()
        self._dispatcher: threading.Thread | None = None
        self._moved = 0
        self._seen = 0

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The pool itself, for what has to begin now."""
        self.begin()
        return self._pool

    @property
    def is_idle(self) -> bool:
        """Whether no job waits for a thread."""
        return not self._jobs

    def begin(self) -> None:
        """Have the thread that gives jobs to the pool; best before the system is short of them."""
        if self._dispatcher is None:
            with self._lock:
                if self._dispatcher is None:
                    dispatcher = threading.Thread(
                        target=self._dispatch, name="penstock-threads", daemon=True
                    )
                    start(dispatcher)
                    self._dispatcher = dispatcher
                    if self._given is None:
                        self._own_pool.begin()

    def start(self, job: Job) -> None:
        """Let a job begin within a millisecond or two."""
        self._jobs.append(job)
        if self._is_waiting:
            self.begin()
            with self._lock:
                self._is_waiting = False
                self._wake.set()

    def submit(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, now."""
        self.executor.submit(function)

    def close(self) -> None:
        """Let the threads end when they are done."""
        self._closed = True
        self._wake.set()
        self._pool.shutdown(wait=False)

    def join(self, timeout: float) -> bool:
        """Wait for the threads to end, after `close`; return whether all have."""
        return self._own_pool.join(timeout)

    def _dispatch(self) -> None:
        idle, more, pause = 0, 1, GRACE
        while not self._closed:
            time.sleep(pause)
            moved = self._forget_taken()
            # Where bodies run their own steps, one after the other, looking often only disturbs.
            pause = min(2 * pause, MOST_GRACE) if moved else GRACE
            if self._own_pool.is_short:
                self._own_pool.grow()
                pause = REFUSED
            if not self._jobs:
                idle, more = 0 if moved else idle + 1, 1
                if idle >= 5:
                    self._sleep()
                    idle = 0
            elif moved:
                more = 1
            else:  # nobody gets on with them: more threads, and twice as many the next time
                for _ in range(min(more, len(self._jobs))):
                    self._pool.submit(self._pull)
                idle, more = 0, 2 * more

    def _on_short(self) -> None:
        self._is_waiting = False
        self._wake.set()

    def _sleep(self) -> None:
        with self._lock:
            self._wake.clear()
            self._is_waiting = True
        if self._jobs or self._closed or self._own_pool.is_short:
            self._is_waiting = False  # it came before `start` could see that somebody is asleep
        else:
            self._wake.wait()

    def _forget_taken(self) -> bool:
        """Drop taken jobs from the head of the line; return whether there were any."""
        before = self._moved
        while self._jobs and self._jobs[0].is_taken:
            try:
                self._jobs.popleft()
            except IndexError:  # a thread was quicker
                break
            self._moved += 1
        moved, self._seen = self._moved != self._seen, self._moved
        return moved or self._moved != before

    def _pull(self) -> None:
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                return
            self._moved += 1
            job.run()
