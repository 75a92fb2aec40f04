from __future__ import annotations

import pytest

from penstock.runtime.telemetry.metrics import RunMetrics
from penstock.worker.health.processes import ProcessesHealth


def test_metrics_that_fail_do_not_keep_a_supervisor_from_recovering_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: RunMetrics, reason: str, number: int) -> None:
        raise ValueError(reason)

    monkeypatch.setattr(RunMetrics, "recovered", broken)
    health = ProcessesHealth(1, address="127.0.0.1:0")
    assert health.observer is not None

    health.observer.recovered("worker", 1)

    assert "the runs go on without them" in caplog.text
    health.close()
