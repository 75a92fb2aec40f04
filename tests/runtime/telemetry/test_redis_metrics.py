from __future__ import annotations

from prometheus_client import CollectorRegistry

from penstock.runtime.redis.plans.queues import Overview, QueueState
from penstock.runtime.telemetry.label_names import MOST
from penstock.runtime.telemetry.redis_metrics import RedisMetrics


def test_queues_past_the_limit_are_added_up_and_the_oldest_of_them_counts() -> None:
    waits = (7.0, 30.0, 2.0)
    past = [f"past {number}" for number in range(len(waits))]
    states = [QueueState(f"queue {number}", 1, 0, 1.0) for number in range(MOST)]
    states += [QueueState(name, 4, 2, wait) for name, wait in zip(past, waits, strict=True)]
    overview = Overview(states, dict.fromkeys([*past, *(each.queue for each in states)], 1), {}, {})
    registry = CollectorRegistry()
    registry.register(RedisMetrics(lambda: overview))

    def other(name: str) -> float | None:
        return registry.get_sample_value(f"penstock_{name}", {"queue": "other"})

    assert other("queue_depth") == 12
    assert other("backlog") == 18
    assert other("queue_oldest_seconds") == 30
    assert registry.get_sample_value("penstock_queue_depth", {"queue": "queue 7"}) == 1
    assert other("workers") == 3
