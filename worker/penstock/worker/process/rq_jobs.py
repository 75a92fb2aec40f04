"""Ordinary RQ jobs found on a worker's queues, run as RQ's SimpleWorker runs them."""

from __future__ import annotations

__all__ = ["OrdinaryJobs"]

import ctypes
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import wait
from typing import Any, Protocol

from redis import Redis
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.timeouts import JobTimeoutException, TimerDeathPenalty

from penstock.runtime.concurrency.patient_pool import PatientPool

logger = logging.getLogger(__name__)


class RQWorker(Protocol):
    """The part of an RQ worker that is used here."""

    connection: Redis
    name: str

    def prepare_execution(self, job: Job) -> Execution:
        """Note that a job is being executed."""
        ...

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Execute a job and record its outcome."""
        ...


class OrdinaryJobs:
    """Runs RQ jobs in threads, each job in the list of those begun until it is noted as started."""

    def __init__(self, worker: RQWorker, on_end: Callable[[], None]) -> None:
        self._worker = worker
        self._on_end = on_end
        self._threads = PatientPool(64, "penstock-rq", lambda: None)
        self._running: set[ThreadFuture[None]] = set()
        self._lock = threading.Lock()
        self._jobs: set[str] = set()
        self._asked: set[str] = set()
        self._threads_of: dict[str, int] = {}
        rq: Any = worker
        rq.death_penalty_class = self.limit

    def start(self) -> None:
        """Have a thread for the jobs that may come."""
        self._threads.begin()

    def begin(self, queue: str, job_id: str) -> None:
        """Execute a job in a thread."""
        future = self._threads.submit(self._perform, queue, job_id)
        self._running.add(future)
        future.add_done_callback(self._running.discard)

    def stop(self, job_id: str) -> bool:
        """Stop a job as soon as its code returns from a blocking call; return whether it was."""
        with self._lock:
            if job_id not in self._jobs:
                return False
            worker: Any = self._worker
            worker._stopped_job_id = job_id  # so that RQ files it as stopped, not as failed
            self._asked.add(job_id)
            thread = self._threads_of.get(job_id)
            if thread is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(StopRequested)
                )
        return True

    def limit(
        self,
        timeout: int,
        exception: Any = JobTimeoutException,
        job_id: str = "",
        **_: Any,
    ) -> JobLimit:
        """Return what RQ enters around a job's own code, in place of its death penalty."""
        return JobLimit(self, timeout, exception, job_id)

    def enter(self, job_id: str) -> None:
        """Let a job be stopped from here on, where no lock is held but its own.

        Raises:
            StopRequested: it was to be stopped before.
        """
        with self._lock:
            if job_id in self._asked:
                raise StopRequested
            self._threads_of[job_id] = threading.get_ident()

    def leave(self, job_id: str) -> None:
        """Let a job not be struck any more, as RQ's book-keeping follows."""
        with self._lock:
            self._threads_of.pop(job_id, None)

    def grow(self) -> None:
        """Try again to start a thread that the system has refused; call it from time to time."""
        self._threads.grow()

    def close(self, grace: float) -> None:
        """Wait for the jobs that run, at most `grace` seconds."""
        wait(tuple(self._running), timeout=grace)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def join(self, timeout: float) -> bool:
        """Wait for the threads to end, after `close`; return whether all have."""
        return self._threads.join(timeout)

    def _perform(self, name: str, job_id: str) -> None:
        worker: Any = self._worker
        queue = Queue(name, connection=worker.connection)
        self._jobs.add(job_id)
        try:
            job = Job.fetch(job_id, connection=worker.connection)
            execution = worker.prepare_execution(job)
            worker.connection.lrem(queue.intermediate_queue_key, 1, job_id)
            worker.perform_job(job, queue, execution)
            logger.info("RQ job %s ended", job_id, extra={"job_id": job_id, "event": "job.ended"})
        except Exception:
            logger.exception("RQ job %s could not be run", job_id, extra={"job_id": job_id})
        finally:
            self.leave(job_id)
            self._jobs.discard(job_id)
            self._asked.discard(job_id)
            self._on_end()


class JobLimit(TimerDeathPenalty):
    """RQ's time limit around a job's own code, which is also where the job can be stopped."""

    def __init__(self, jobs: OrdinaryJobs, timeout: int, exception: Any, job_id: str) -> None:
        super().__init__(timeout, exception)
        self._jobs = jobs
        self._job_id = job_id

    def __enter__(self) -> None:
        super().__enter__()
        self._jobs.enter(self._job_id)

    def __exit__(self, *raised: Any) -> Any:
        self._jobs.leave(self._job_id)
        return super().__exit__(*raised)
