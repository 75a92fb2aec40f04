"""Metrics in the text that Prometheus reads; needs `penstock[prometheus]`."""

from __future__ import annotations

__all__ = [
    "CONTENT_TYPE",
    "MISSING",
    "is_installed",
    "merged",
    "new_metrics",
    "own_metrics",
    "process_metrics",
]

import importlib.util
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from penstock.runtime.telemetry.metrics import RunMetrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MISSING: Final = (
    "there are no metrics without prometheus_client: pip install 'penstock[prometheus]'\n"
)


def is_installed() -> bool:
    """Return whether there can be metrics; nothing is imported to find out."""
    return importlib.util.find_spec("prometheus_client") is not None


def new_metrics() -> RunMetrics | None:
    """Return what counts the runs of a process; None if there can be no metrics."""
    if not is_installed():
        return None
    from penstock.runtime.telemetry.metrics import RunMetrics

    return RunMetrics()


def process_metrics(registry: CollectorRegistry) -> str:
    """Write the metrics of a registry, and those that the app and its libraries have."""
    from prometheus_client import REGISTRY, generate_latest

    return own_metrics(registry) + generate_latest(REGISTRY).decode()


def own_metrics(registry: CollectorRegistry) -> str:
    """Write the metrics of a registry, without the times at which its series began."""
    return _written(_uncreated(family) for family in registry.collect())


def merged(texts: Mapping[str, str]) -> str:
    """Write the metrics of several processes as one text; a label `process` names them.

    Each process has series of its own, as sums would fall when one is replaced.
    """
    return _written(_labelled(texts))


def _written(families: Iterable[Metric]) -> str:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    return generate_latest(registry).decode()


def _uncreated(family: Metric) -> Metric:
    family.samples = [each for each in family.samples if not each.name.endswith("_created")]
    return family


class _Collected:
    """Gives a registry families of metrics that are there already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _labelled(texts: Mapping[str, str]) -> list[Metric]:
    found: dict[str, Any] = {}
    for process, text in sorted(texts.items()):
        for family in _families(text):
            for at, sample in enumerate(family.samples):
                labels = {**sample.labels, "process": process}
                family.samples[at] = sample._replace(labels=labels)
            known = found.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)
    return list(found.values())


def _families(text: str) -> Iterable[Metric]:
    from prometheus_client.parser import text_string_to_metric_families

    return text_string_to_metric_families(text)
