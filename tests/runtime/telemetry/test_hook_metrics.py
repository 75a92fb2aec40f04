"""Metrics of webhooks and the feed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime.redis.plans.hook_states import FeedState, HookState, OutboxState
from penstock.runtime.telemetry.hook_metrics import HookMetrics


def test_webhooks_and_the_feed_are_measured() -> None:
    counts = {"delivered": 7, "failed": 1}
    urls = HookState("~", waiting=2, counts={"delivered": 6})
    outbox = OutboxState([HookState("w", "moved", 3, counts, 60.0)], 5, 2.0, lost=4, of_runs=urls)
    registry = CollectorRegistry()
    registry.register(HookMetrics(lambda: (outbox, FeedState(9, 30.0))))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"penstock_{name}", labels)

    assert value("webhook_deliveries_total", webhook="w", outcome="delivered") == 7
    assert value("webhook_deliveries_total", webhook="w", outcome="failed") == 1
    assert value("webhook_waiting", webhook="w") == 3
    assert value("webhook_deliveries_total", webhook="~", outcome="delivered") == 6
    assert value("webhook_waiting", webhook="~") == 2
    assert value("webhook_failing_seconds", webhook="w") == 60
    assert value("webhook_failing_seconds", webhook="~") is None
    assert value("webhook_disabled", webhook="w") == 1
    assert value("webhook_changes") == 5
    assert value("webhook_changes_oldest_seconds") == 2
    assert value("webhook_changes_lost") == 4
    assert (value("feed_entries"), value("feed_span_seconds")) == (9, 30)


def test_without_redis_there_are_none() -> None:
    def refuse() -> tuple[OutboxState, FeedState]:
        raise RedisUnavailableError("Redis does not answer")

    registry = CollectorRegistry()
    registry.register(HookMetrics(refuse))

    assert list(registry.collect()) == []
