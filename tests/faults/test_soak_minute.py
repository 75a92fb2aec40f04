"""A short soak: `make soak` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.soak import Soak


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_all_runs_come_to_their_results_while_things_break(tmp_path: Path) -> None:
    report = Soak(random.SystemRandom().randrange(1_000_000), tmp_path).run(60)

    print(report)
    assert not report.wrong, str(report)
    assert report.runs > 50
    assert report.faults.total() >= 10
