"""What a reader of a thread costs that waits for its next run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from penstock.gateway.compatible import thread_legs
from penstock.gateway.compatible.thread_legs import LegWalk
from penstock.runtime.redis.plans.legs import read_many_legs
from penstock.runtime.redis.plans.requests import Plan, RequestPlans
from penstock.runtime.testing import InMemoryWorker
from penstock.runtime.types.leg import RunLegs
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS


def test_a_reader_that_waits_behind_a_rolled_back_run_reads_the_thread_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[Sequence[str]] = []

    def read(plans: RequestPlans, run_ids: Sequence[str]) -> Plan[list[RunLegs]]:
        reads.append(run_ids)
        return read_many_legs(plans, run_ids)

    monkeypatch.setattr(thread_legs, "read_many_legs", read)

    async def looks(walk: LegWalk, count: int) -> list[str | None]:
        found = [await walk.following() for _ in range(count)]
        return [each.run.run_id if each else None for each in found]

    with InMemoryWorker(FLOWS) as worker, Api(worker) as api:
        run_ids = [api.run("doubled", number, thread_id="t") for number in range(3)]
        gone: Any = api.post("/threads/t/runs", {"assistant_id": "doubled", "input": 1}, 200)
        api.ask("POST", f"/threads/t/runs/{gone['run_id']}/cancel?action=rollback")
        worker.work()
        walk = LegWalk(api.shared.client, "t", None)

        assert api.runner.run(looks(walk, 3)) == run_ids
        reads.clear()
        assert api.runner.run(looks(walk, 10)) == [None] * 10
        assert len(reads) == 1

        later = api.run("doubled", 4, thread_id="t")
        assert api.runner.run(looks(walk, 2)) == [later, None]
