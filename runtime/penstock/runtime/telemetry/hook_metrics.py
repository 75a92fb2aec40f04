"""Prometheus metrics of webhooks and of the feed of one Redis; needs `penstock[prometheus]`."""

from __future__ import annotations

__all__ = ["HookMetrics"]

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.runtime.errors import PenstockError
from penstock.runtime.redis.plans.hook_states import FeedState, HookState, OutboxState


class HookMetrics(Collector):
    """Reads webhooks and the feed each time that somebody asks for the metrics.

    There are at most a hundred webhooks at a time, so their ids may be labels; all URLs that runs
    were given themselves are one, `~`.
    """

    def __init__(self, read: Callable[[], tuple[OutboxState, FeedState]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that Redis is not read when the collector is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Read Redis; nothing if it does not answer, of which `penstock_redis_up` tells."""
        try:
            outbox, feed = self._read()
        except PenstockError:
            return
        hooks, everything = outbox.webhooks, [*outbox.webhooks, outbox.of_runs]
        yield _deliveries(everything)
        yield _by_webhook(
            "waiting",
            "Deliveries that wait.",
            {each.webhook_id: each.waiting for each in everything},
        )
        yield _by_webhook(
            "failing_seconds",
            "For how long all tries have failed; 0 if the last one did not.",
            {each.webhook_id: each.failing for each in hooks},
        )
        yield _by_webhook(
            "disabled",
            "1 if nothing is sent.",
            {each.webhook_id: int(bool(each.disabled)) for each in hooks},
        )
        yield _gauge("webhook_changes", "Changes of runs that no worker has taken.", outbox.changes)
        yield _gauge(
            "webhook_changes_oldest_seconds", "How long the first of them waits.", outbox.oldest
        )
        yield _gauge(
            "webhook_changes_lost",
            "Changes that were lost: too many waited, or none could read them.",
            outbox.lost,
        )
        yield _gauge("feed_entries", "Changes of runs that the feed keeps.", feed.entries)
        yield _gauge("feed_span_seconds", "How far back the feed reaches.", feed.spans)


def _deliveries(hooks: Iterable[HookState]) -> Metric:
    family = CounterMetricFamily(
        "penstock_webhook_deliveries", "Deliveries by what became of them.", labels=_LABELS
    )
    for each in hooks:
        for outcome, count in each.counts.items():
            family.add_metric([each.webhook_id, outcome], count)
    return family


_LABELS = ("webhook", "outcome")


def _by_webhook(name: str, about: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"penstock_webhook_{name}", about, labels=_LABELS[:1])
    for webhook_id, value in values.items():
        family.add_metric([webhook_id], value)
    return family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"penstock_{name}", about, value=value)
