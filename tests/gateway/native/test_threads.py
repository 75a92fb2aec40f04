"""Threads over HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.gateway.api import Api


def test_a_thread_has_a_state_and_a_history(api: Api) -> None:
    for x in (1, 2, 3):
        api.run("counting", x, thread_id="t")

    newest = api.get("/api/threads/t")
    first = api.get("/api/threads/t/history", limit=2)
    rest = api.get("/api/threads/t/history", before=first["before"])

    assert newest["values"] == 6
    states = first["states"] + rest["states"]
    assert [state["values"] for state in states] == [6, 3, 3, 1, 1, None]
    assert rest["before"] is None
    assert api.get("/api/threads/t", checkpoint=first["before"]) == first["states"][-1]


@pytest.mark.parametrize(
    "thread_id", ["a/b", "/", "a%2Fb", "50% off", "\u00e4/\u00f6", "a/history"]
)
def test_the_id_of_a_thread_may_have_any_signs(api: Api, thread_id: str) -> None:
    api.run("counting", 1, thread_id=thread_id)
    path = f"/api/threads/{quote(thread_id, safe='')}"

    assert api.get(path)["values"] == 1
    assert len(api.get(f"{path}/history")["states"]) == 2
    assert api.ask("GET", "/api/threads/a/b").status_code == 404


def test_a_thread_is_changed_copied_and_deleted(api: Api) -> None:
    api.run("counting", 1, thread_id="t")

    changed = api.ask("PATCH", "/api/threads/t", json={"values": 10})
    copied = api.post("/api/threads/t/copy", {"target": "u"}, 201)
    deleted = api.ask("DELETE", "/api/threads/t")
    api.run("counting", 1, thread_id="u")

    assert (changed.status_code, deleted.status_code) == (200, 204)
    assert copied == {"thread_id": "u"}
    assert api.get("/api/threads/u")["values"] == 11
    assert api.get("/api/threads/t")["values"] == {}


def test_a_thread_that_asks_is_answered(api: Api) -> None:
    run_id = api.run("asking", 1, thread_id="t")

    named = api.post("/api/threads/t/answer", {"answer": True})
    api.worker.work()

    assert named == {"run_id": run_id, "thread_id": "t"}
    assert api.get(f"/api/runs/{run_id}/result")["result"] == "2 True"


def test_a_thread_that_nobody_knows_is_not_found(api: Api) -> None:
    copied = api.ask("POST", "/api/threads/none/copy", json={"target": "u"})
    answered = api.ask("POST", "/api/threads/none/answer", json={"answer": 1})

    assert (copied.status_code, copied.json()["error"]) == (404, "ThreadNotFoundError")
    assert (answered.status_code, answered.json()["error"]) == (409, "ResumeError")
