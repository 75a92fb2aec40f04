"""Threads for sync bodies, which start only for those that nobody is waiting for."""

from __future__ import annotations

__all__ = ["Job", "Threads"]

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

GRACE: Final = 0.001
"""Seconds that whoever called a step has to run it itself by asking for its result."""

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


class Threads:
    """A pool of threads, and one thread that gives it the jobs nobody took at once.

    A body that calls a step and asks for its result runs the step in its own thread: handing it to
    another and back would cost several times what a small step does.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="penstock")
        self._jobs: deque[Job] = deque()
        self._wake = threading.Event()
        self._asleep = True
        self._lock = threading.Lock()
        self._dispatcher: threading.Thread | None = None
        self._closed = False

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The pool itself, for what has to begin now."""
        return self._pool

    def start(self, job: Job) -> None:
        """Let a job begin within a millisecond or two."""
        self._jobs.append(job)
        if self._asleep:
            with self._lock:
                if self._dispatcher is None:
                    self._dispatcher = threading.Thread(
                        target=self._dispatch, name="penstock-threads", daemon=True
                    )
                    self._dispatcher.start()
                self._asleep = False
                self._wake.set()

    def submit(self, function: Callable[[], object]) -> None:
        """Run a function in a thread, now."""
        self._pool.submit(function)

    def close(self) -> None:
        """Let the threads end when they are done."""
        self._closed = True
        self._wake.set()
        self._pool.shutdown(wait=False)

    def _dispatch(self) -> None:
        idle, share = 0, 1
        while not self._closed:
            time.sleep(GRACE)
            if self._hand_over(share):
                idle, share = 0, 2 * share  # a slow start: small steps are done before it is over
                continue
            idle, share = idle + 1, 1
            if idle < 5:
                continue
            with self._lock:
                self._asleep = not self._jobs
                if self._asleep:
                    self._wake.clear()
            self._wake.wait()
            idle = 0

    def _hand_over(self, most: int) -> bool:
        """Give up to `most` untaken jobs to the pool; tell whether there was any."""
        given = 0
        while self._jobs and given < most:
            job = self._jobs.popleft()
            if not job.is_taken:
                given += 1
                self._pool.submit(job.run)
        return given > 0
