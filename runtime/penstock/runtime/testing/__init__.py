"""Tools for tests of workflows: a worker in memory, simulated time, crashes on demand."""

from penstock.runtime.testing.crash import crash_after_each_step
from penstock.runtime.testing.worker import InMemoryWorker

__all__ = ["InMemoryWorker", "crash_after_each_step"]
