from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from penstock.worker.health import exposition
from penstock.worker.health.exposition import CONTENT_TYPE, merged
from penstock.worker.health.probes import answer
from penstock.worker.health.status import Status


def of_a_process(runs: int) -> str:
    registry = CollectorRegistry()
    Counter("runs", "Runs.", ["status"], registry=registry).labels("failed").inc(runs)
    Histogram("wait", "Waits.", registry=registry, buckets=[1]).observe(runs)
    return generate_latest(registry).decode()


def test_processes_keep_their_own_series_below_one_name() -> None:
    text = merged({"1": of_a_process(3), "2": of_a_process(5), "3": ""})

    families = {each.name: each for each in text_string_to_metric_families(text)}
    assert text.count("# TYPE runs_total counter") == 1
    assert families["runs"].type == "counter"
    assert [
        (sample.labels, sample.value)
        for sample in families["runs"].samples
        if sample.name == "runs_total"
    ] == [({"status": "failed", "process": "1"}, 3.0), ({"status": "failed", "process": "2"}, 5.0)]
    assert {each.labels["process"] for each in families["wait"].samples} == {"1", "2"}


def test_without_the_extra_the_page_says_what_to_install() -> None:
    found = answer("/metrics", lambda: Status({}))

    assert found.status == 501
    assert "pip install 'penstock[prometheus]'" in found.body
    assert answer("/metrics", lambda: Status({}), lambda: "x 1\n").content_type == CONTENT_TYPE


def test_a_worker_that_nobody_asks_imports_neither_metrics_nor_traces() -> None:
    """redis-py imports OpenTelemetry by itself, if it is there."""
    code = (
        "import sys; import penstock.worker.process.supervisor, penstock.worker.process.worker, "
        "penstock.runtime.client.client; print(*sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    unwanted = {
        "prometheus_client",
        "penstock.runtime.telemetry.metrics",
        "penstock.runtime.telemetry.traces",
        "penstock.worker.health.monitor",
    }
    assert unwanted & {*told.stdout.split()} == set()


def test_the_extra_is_looked_for_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exposition.is_installed()

    def nothing(name: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", nothing)
    assert not exposition.is_installed()
