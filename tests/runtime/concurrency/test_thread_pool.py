"""The thread that gives jobs to a pool: it misses none as it falls asleep."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from penstock.runtime.concurrency.thread_pool import Job, ThreadPool


class Small:
    """A job that does nothing."""

    is_taken = False

    def run(self) -> None:
        """Do nothing."""


class RacingLine(deque[Job]):
    """A line of jobs into which one comes right after somebody has found it empty."""

    threads: ThreadPool
    job: Job | None = Small()

    def __bool__(self) -> bool:
        found = len(self) > 0
        if not found and self.job is not None:
            job, self.job = self.job, None
            self.threads.start(job)
        return found


def test_a_job_that_comes_as_the_dispatcher_falls_asleep_wakes_it() -> None:
    threads: Any = ThreadPool()
    threads._dispatcher = threading.current_thread()  # which does not run: the test does its part
    threads._asleep = False
    threads._jobs = RacingLine()
    threads._jobs.threads = threads
    asleep = threading.Thread(target=threads._sleep, daemon=True)
    asleep.start()
    asleep.join(5)
    assert not asleep.is_alive(), "it sleeps, with a job in the line"
    assert len(threads._jobs) == 1
