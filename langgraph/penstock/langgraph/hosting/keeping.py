"""How long the threads of a graph are kept where nobody has said so for one of them."""

from __future__ import annotations

__all__ = ["checked_keeping", "keep_thread"]

import math

from penstock.runtime.errors import ConfigurationError
from penstock.runtime.executor.hosted import HostedRun
from penstock.runtime.redis.thread_calls import ThreadCalls


def checked_keeping(seconds: float | None) -> float | None:
    """Return the seconds that threads are kept after their last run, None for as long as all are.

    Raises:
        ConfigurationError: it is no number greater than 0.
    """
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (is_number and 0 < seconds < math.inf):
        raise ConfigurationError(f"threads are kept some seconds, not {seconds!r}.")
    return seconds


def keep_thread(run: HostedRun, calls: ThreadCalls, seconds: float) -> None:
    """Have the thread of a run kept so long after its last run, unless it has a time of its own.

    A run without a thread of its own name keeps its state as long as itself. Waits in this thread.
    """
    run.journal.read(calls.expire(run.attempt.assignment.thread_id, seconds, stays=True))
