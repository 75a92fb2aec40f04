"""How threads are looked for: what is read of them, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.gateway.compatible.selection import extracted, read_path
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


def test_what_would_keep_other_requests_waiting_is_refused() -> None:
    nested = {"x": [[{"y": [1]}] * 11]}
    with InMemoryWorker([named]) as worker, Api(worker) as api:
        for path, body in (
            ("/threads/search", {"extract": {"x": "values." + "a." * 100 + "a"}}),
            ("/threads/search", {"values": {"x": [1] * 101}}),
            ("/threads/search", {"metadata": nested}),
            ("/threads/search", {"select": ["values"] * 101}),
            ("/threads/search", {"ids": ["t"] * 10_001}),
            ("/threads/count", {"values": nested}),
            ("/assistants/search", {"metadata": {"x": {"y": [1] * 101}}}),
            ("/assistants/count", {"metadata": nested}),
            ("/assistants/named/versions", {"metadata": nested}),
        ):
            assert api.post(path, body, 422), path

        found = {"values": {"x": [*range(100)]}, "extract": {"x": "values." + "a." * 96 + "a"}}
        assert api.post("/threads/search", found, 200) == []


def test_a_path_that_is_none_is_refused_though_nothing_is_found() -> None:
    with InMemoryWorker([named]) as worker, Api(worker) as api:
        assert (
            "values[[" in api.post("/threads/search", {"extract": {"x": "values[["}}, 422)["detail"]
        )


def test_a_path_may_lead_through_lists_in_lists() -> None:
    shown = {"values": {"l": [[{"a": 1}, 2], 3, [{"a": 4}]]}}

    def at(path: str) -> Any:
        return extracted(shown, {"x": read_path(path)})["x"]

    assert at("values.l[*][*].a") == [[1, None], [], [4]]
    assert at("values.l[-1][0]") == {"a": 4}
    assert at("values.l[*]") == shown["values"]["l"]
    assert at("values.l[7].a") is None
