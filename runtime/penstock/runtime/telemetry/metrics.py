"""Prometheus metrics of what one process does; needs `penstock[prometheus]`."""

from __future__ import annotations

__all__ = ["RunMetrics"]

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from penstock.runtime.errors import ReplayError
from penstock.runtime.executor.observer import AttemptObserver, ObservedAttempt
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.step_id import step_name
from penstock.runtime.telemetry.label_names import LabelNames

SECONDS: Final = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Buckets of what runs, steps and waits take."""

CALLS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
"""Buckets of what a round trip to Redis takes."""

REASONS: Final = ("worker", "poison", "ticket", "corrupt")
"""Why runs are recovered."""

ENDS: Final = frozenset({"completed", "failed", "cancelled"})
"""Outcomes of an attempt that end its run."""


class RunMetrics:
    """Counts runs, steps, recoveries and calls of Redis; an observer of the executor.

    No id and no value that a user chooses per run is a label.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = self._counter("runs", "Runs that have ended here.", "entrypoint", "status")
        self._run_seconds = self._seconds(
            "run", "How long attempts of runs took, however they ended.", "entrypoint"
        )
        self._queue_wait = self._seconds(
            "queue_wait", "How long new runs were queued before this worker took them.", "queue"
        )
        self._steps = self._counter("steps", "Steps that have ended here.", "task", "outcome")
        self._step_seconds = self._seconds("step", "How long steps took, with all tries.", "task")
        self._retries = self._counter(
            "retries", "Tries of steps that failed and were followed by another."
        )
        self._recovered = self._counter(
            "recovered", "Runs that this worker recovered after others had lost them.", "reason"
        )
        self._parked = self._counter(
            "parked", "Times that this worker set a run aside, as it lacks its code."
        )
        self._fenced = self._counter(
            "fenced", "Attempts that ended because another worker had their run."
        )
        self._replay_errors = self._counter(
            "replay_errors", "Runs that failed because the code had changed."
        )
        self._redis = self._seconds(
            "redis",
            "How long round trips to Redis took, by the script that they called.",
            "call",
            buckets=CALLS,
        )
        self._entrypoints, self._tasks, self._queues = LabelNames(), LabelNames(), LabelNames()
        self._children: dict[tuple[Any, ...], Any] = {}
        for reason in REASONS:
            self._of(self._recovered, reason)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"penstock_{name}_total", about, labels, registry=self.registry)

    def _seconds(
        self, name: str, about: str, label: str, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        name = f"penstock_{name}_seconds"
        return Histogram(name, about, (label,), registry=self.registry, buckets=buckets)

    def watch(self, running: Callable[[], float], slots: int, lag: Callable[[], float]) -> None:
        """Add the gauges of a worker: each is read when somebody asks for the metrics."""
        gauge = functools.partial(Gauge, registry=self.registry)
        gauge("penstock_running", "Runs and jobs at work.").set_function(running)
        gauge("penstock_slots", "How many runs and jobs may be at work at once.").set(slots)
        gauge(
            "penstock_loop_lag_seconds", "How long the event loop has last taken to respond."
        ).set_function(lag)

    def began(self, attempt: ObservedAttempt) -> AttemptObserver:
        """Count the wait of a run that is taken."""
        self._introduce(self._entrypoints.of(attempt.entrypoint))
        if attempt.waited is not None:
            self._of(self._queue_wait, self._queues.of(attempt.queue)).observe(attempt.waited)
        return _AttemptMetrics(self, attempt)

    def called(self, scripts: Sequence[str], seconds: float) -> None:
        """Count a round trip, once for each script that it called."""
        for name in {*scripts}:
            self._of(self._redis, name).observe(seconds)

    def recovered(self, reason: str, number: int) -> None:
        """Count runs that were recovered."""
        self._of(self._recovered, reason).inc(number)

    def parked(self, number: int) -> None:
        """Count runs that were set aside."""
        self._parked.inc(number)

    def _of(self, metric: Any, *labels: str) -> Any:
        """Return a metric with these labels; prometheus_client takes 2 us to find it."""
        found = self._children.get((metric, *labels))
        if found is None:
            found = self._children[(metric, *labels)] = metric.labels(*labels)
        return found

    def _introduce(self, entrypoint: str) -> None:
        """Have the series of an entrypoint, at 0: else the first failure would be no increase."""
        if (self._runs, entrypoint, "failed") not in self._children:
            for status in sorted(ENDS):
                self._of(self._runs, entrypoint, status)

    # -- one attempt ----------------------------------------------------------------------------

    def count_step(self, name: str, outcome: str, seconds: float) -> None:
        """Count a step that has ended."""
        task = self._tasks.of(name)
        self._of(self._steps, task, outcome).inc()
        self._of(self._step_seconds, task).observe(seconds)

    def count_retry(self) -> None:
        """Count a try that failed and is followed by another."""
        self._retries.inc()

    def count_end(
        self, attempt: ObservedAttempt, outcome: str, error: BaseException | None, seconds: float
    ) -> None:
        """Count the end of an attempt, and perhaps of its run."""
        if outcome == "lost":
            self._fenced.inc()
        if attempt.step_id:  # of a remote step, which is counted as a step
            return
        entrypoint = self._entrypoints.of(attempt.entrypoint)
        self._of(self._run_seconds, entrypoint).observe(seconds)
        if outcome in ENDS:
            self._of(self._runs, entrypoint, outcome).inc()
        if isinstance(error, ReplayError):
            self._replay_errors.inc()


class _AttemptMetrics:
    """Counts the steps of one attempt."""

    trace = ""

    __slots__ = ("_attempt", "_began", "_metrics", "_steps")

    def __init__(self, metrics: RunMetrics, attempt: ObservedAttempt) -> None:
        self._metrics = metrics
        self._attempt = attempt
        self._began = time.monotonic()
        self._steps: dict[str, float] = {}

    def on_fact(self, fact: Fact) -> None:
        if fact.mode == "step.started":
            self._steps[fact.data["id"]] = fact.time
        elif fact.mode == "step.finished":
            step_id, outcome = fact.data["id"], "completed"
            began = self._steps.pop(step_id, None)
            if began is None:  # an earlier attempt has begun it, or another process executes it
                return
            if "error" in fact.data["outcome"]:
                outcome = "failed"
            elif fact.data.get("cached"):
                outcome = "cached"
            self._metrics.count_step(step_name(step_id), outcome, max(0.0, fact.time - began))
        elif fact.mode == "step.retry" and "delay" in fact.data:
            self._metrics.count_retry()

    def ended(self, outcome: str, error: BaseException | None) -> None:
        seconds = time.monotonic() - self._began
        self._metrics.count_end(self._attempt, outcome, error, seconds)
