"""How threads are looked for: what is read of them, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.compatible.thread_reading import ReadState, ThreadReader
from penstock.runtime import entrypoint
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api


@entrypoint()
def named(x: int) -> dict[str, int]:
    return {"x": x}


def test_the_state_of_a_thread_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    newest = ThreadReader.newest

    async def noted(reader: ThreadReader, thread_id: str) -> ReadState:
        read.append(thread_id)
        return await newest(reader, thread_id)

    monkeypatch.setattr(ThreadReader, "newest", noted)
    with InMemoryWorker([named]) as worker, Api(worker) as api:
        for number in range(5):
            api.post("/threads", {"thread_id": f"t{number}"}, 200)
            worker.client.enqueue("named", number // 3, thread_id=f"t{number}")
        worker.work()
        search = {"sort_by": "thread_id", "sort_order": "asc", "limit": 2, "offset": 1}

        def found(**query: Any) -> list[str]:
            read.clear()
            shown = api.post("/threads/search", {**search, **query}, 200)
            assert all(each.get("values", {"x": 0}) == {"x": 0} for each in shown)
            return [each["thread_id"] for each in shown]

        assert (found(), sorted(read)) == (["t1", "t2"], ["t1", "t2"])
        assert (found(select=["thread_id"]), read) == (["t1", "t2"], [])
        assert found(values={"x": 0}) == ["t1", "t2"]
        assert sorted(read) == ["t0", "t1", "t2", "t3", "t4"]
        read.clear()
        assert api.post("/threads/count", {"values": {"x": 1}}, 200) == 2
        assert len(read) == 5
