"""Prometheus metrics of the work in one Redis; needs `penstock[prometheus]`."""

from __future__ import annotations

__all__ = ["RedisMetrics"]

import logging
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from penstock.runtime.errors import PenstockError
from penstock.runtime.redis.plans.queues import Overview
from penstock.runtime.telemetry.label_names import LabelNames

logger = logging.getLogger(__name__)


class RedisMetrics(Collector):
    """Reads the work in a Redis each time that somebody asks for the metrics.

    One process serves these for a Redis, `penstock exporter`. If each worker did so, sums over
    workers would count everything several times.
    """

    def __init__(self, read: Callable[[], Overview]) -> None:
        self._read = read
        self._queues = LabelNames()

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance, so that Redis is not read when the collector is registered."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Read Redis; if it does not answer, only `penstock_redis_up` is there, and 0."""
        try:
            found = self._read()
        except PenstockError as error:
            logger.warning("there are no metrics: %s", error)
            return [_up(0)]
        return [_up(1), *self._families(found)]

    def _families(self, found: Overview) -> Iterable[Metric]:
        states = found.queues
        yield self._by_queue(
            "queue_depth", "Tickets on a queue.", {each.queue: each.tickets for each in states}
        )
        yield self._by_queue(
            "queue_oldest_seconds",
            "How long the first in line is queued; 0 if nothing is.",
            {
                each.queue: each.oldest or 0.0
                for each in states
                if each.oldest is not None or not each.tickets
            },
            together=max,
        )
        yield self._by_queue(
            "backlog", "Tickets and running work.", {each.queue: each.backlog for each in states}
        )
        yield self._by_queue("workers", "Live workers of a queue.", found.workers)
        yield _family("held", "Queued runs that no worker may take.", "reason", found.held)
        yield _family("open_runs", "Runs that are not over.", "status", found.open_runs)

    def _by_queue(
        self,
        name: str,
        about: str,
        values: Mapping[str, float],
        together: Callable[[Iterable[float]], float] = sum,
    ) -> Metric:
        """Write a metric; `together` makes one value of those of the queues that are `other`."""
        found: dict[str, list[float]] = {}
        for queue, value in values.items():
            found.setdefault(self._queues.of(queue), []).append(value)
        return _family(name, about, "queue", {each: together(found[each]) for each in found})


def _family(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"penstock_{name}", about, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _up(value: float) -> Metric:
    return GaugeMetricFamily("penstock_redis_up", "Whether Redis answered.", value=value)
