from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from penstock.runtime.errors import ReplayError
from penstock.runtime.executor.observer import ObservedAttempt
from penstock.runtime.journal.fact import Fact
from penstock.runtime.telemetry.label_names import MOST
from penstock.runtime.telemetry.metrics import RunMetrics


def attempt(entrypoint: str = "main", step_id: str = "") -> ObservedAttempt:
    return ObservedAttempt("run", entrypoint, "thread", "default", 1, 0.5, step_id)


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"penstock_{name}", labels)


def fact(mode: str, at: float, **data: object) -> Fact:
    return Fact(mode, data, (), at)


def test_entrypoints_and_tasks_past_the_limit_count_as_other() -> None:
    metrics = RunMetrics()

    for number in range(MOST + 10):
        told = metrics.began(attempt(f"entrypoint {number}"))
        told.on_fact(fact("step.started", 1.0, id=f"task {number}:0"))
        told.on_fact(fact("step.finished", 2.0, id=f"task {number}:0", outcome={"value": 1}))
        told.ended("completed", None)

    registry = metrics.registry
    assert value(registry, "runs_total", entrypoint="other", status="completed") == 10
    assert value(registry, "steps_total", task="other", outcome="completed") == 10
    assert value(registry, "step_seconds_sum", task="other") == 10
    assert value(registry, "runs_total", entrypoint="entrypoint 7", status="completed") == 1


def test_how_a_step_ended_is_told_apart() -> None:
    metrics = RunMetrics()
    told = metrics.began(attempt())
    ends: list[dict[str, Any]] = [
        {"outcome": {"value": 1}},
        {"outcome": {"value": 1}, "cached": True},
        {"outcome": {"error": ValueError()}},
    ]
    for number, end in enumerate(ends):
        told.on_fact(fact("step.started", 1.0, id=f"load:{number}"))
        told.on_fact(fact("step.finished", 1.0, id=f"load:{number}", **end))
    told.on_fact(fact("step.finished", 1.0, id="load:9", outcome={}))  # begun elsewhere

    found = {
        outcome: value(metrics.registry, "steps_total", task="load", outcome=outcome)
        for outcome in ("completed", "cached", "failed")
    }
    assert found == {"completed": 1, "cached": 1, "failed": 1}


def test_a_try_counts_as_a_retry_and_void_events_do_not() -> None:
    metrics = RunMetrics()
    told = metrics.began(attempt())

    told.on_fact(fact("step.retry", 1.0, id="load:0", void_from=3))
    told.on_fact(fact("step.retry", 1.0, id="load:0", void_from=3, attempt=1, delay=0.5))

    assert value(metrics.registry, "retries_total") == 1


def test_the_end_of_an_attempt_is_that_of_its_run_or_not() -> None:
    metrics = RunMetrics()
    for outcome in ("suspended", "handed over", "lost"):
        metrics.began(attempt()).ended(outcome, None)
    metrics.began(attempt()).ended("failed", ReplayError("other code"))
    metrics.began(attempt(step_id="load:0")).ended("completed", None)

    registry = metrics.registry
    assert value(registry, "runs_total", entrypoint="main", status="failed") == 1
    assert value(registry, "runs_total", entrypoint="main", status="completed") == 0
    assert value(registry, "run_seconds_count", entrypoint="main") == 4
    assert value(registry, "fenced_total") == 1
    assert value(registry, "replay_errors_total") == 1
    assert value(registry, "queue_wait_seconds_count", queue="default") == 5
