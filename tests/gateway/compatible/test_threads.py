"""Threads, with LangGraph's own client."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from tests.gateway.compatible import sdk as processes
from tests.gateway.compatible.sdk import Sdk, tick
from tests.support.until import until

sdk = processes.sdk

KEYS = {
    *("thread_id", "created_at", "updated_at", "metadata", "status", "values", "interrupts"),
    *("state_updated_at", "config", "error"),
}


def test_a_thread_is_made_with_all_that_clients_know_of_one(sdk: Sdk) -> None:
    made = sdk.threads.create(metadata={"owner": "ann"}, graph_id="chat")

    assert made.keys() == KEYS
    assert uuid.UUID(made["thread_id"]).version == 7
    assert made["metadata"] == {"owner": "ann", "graph_id": "chat"}
    assert (made["status"], made["values"], made["interrupts"]) == ("idle", {}, {})
    assert made["created_at"].endswith("+00:00")
    assert sdk.threads.get(made["thread_id"]) == made


def test_w3_any_text_may_be_the_id_of_a_thread(sdk: Sdk) -> None:
    for name in ("user 1: ann@example.com", "日本", "x" * 255):
        sdk.threads.create(thread_id=name)

        assert sdk.threads.get(name)["thread_id"] == name
    with pytest.raises(UnprocessableEntityError, match="255"):
        sdk.threads.create(thread_id="x" * 256)


def test_a_thread_that_is_there_is_refused_or_left_as_it_is(sdk: Sdk) -> None:
    sdk.threads.create(thread_id="taken", metadata={"n": 1})

    with pytest.raises(ConflictError, match="'taken'"):
        sdk.threads.create(thread_id="taken")
    again = sdk.threads.create(thread_id="taken", metadata={"n": 2}, if_exists="do_nothing")

    assert again["metadata"] == {"n": 1}


def test_metadata_is_merged(sdk: Sdk) -> None:
    name = sdk.new(a=1, b=1)

    assert sdk.threads.update(name, metadata={"b": 2})["metadata"] == {"a": 1, "b": 2}
    assert sdk.threads.update(name, metadata={"c": 3}, return_minimal=True) is None
    assert sdk.threads.get(name)["metadata"] == {"a": 1, "b": 2, "c": 3}


def test_a_thread_is_kept_for_some_minutes(sdk: Sdk) -> None:
    name = sdk.threads.create(ttl=5)["thread_id"]

    ttl = sdk.threads.get(name, include=["ttl"])["ttl"]
    assert (ttl["strategy"], ttl["ttl_minutes"]) == ("delete", 5)
    sdk.threads.update(name, metadata={}, ttl={"ttl": 60, "strategy": "delete"})

    assert sdk.threads.get(name, include=["ttl"])["ttl"]["ttl_minutes"] == 60
    assert "ttl" not in sdk.threads.get(name)


def test_what_nobody_knows_is_not_found(sdk: Sdk) -> None:
    for ask in (sdk.threads.get, sdk.threads.delete, sdk.threads.copy, sdk.threads.get_state):
        with pytest.raises(NotFoundError, match="'nobody'"):
            ask("nobody")
    with pytest.raises(NotFoundError, match="'nobody'"):
        sdk.threads.update("nobody", metadata={"x": 1})


def test_w14_what_cannot_be_done_is_refused(sdk: Sdk) -> None:
    name = sdk.new()
    refused: list[Callable[[], Any]] = [
        lambda: sdk.threads.prune([name], strategy="keep_some"),
        lambda: sdk.threads.create(ttl={"ttl": 1, "strategy": "keep_latest"}),
        lambda: sdk.threads.search(sort_by="colour"),
        lambda: sdk.threads.search(select=["colour"]),
        lambda: sdk.threads.search(extract={"x": "values[["}),
    ]
    for ask in refused:
        with pytest.raises(UnprocessableEntityError):
            ask()


def test_a_field_that_is_not_known_is_ignored(sdk: Sdk) -> None:
    answer = sdk.http.post("/threads", json={"metadata": {"x": 1}, "later": True})

    assert answer.status_code == 200
    wrong = sdk.http.post("/threads", json={"metadata": 1})
    assert wrong.status_code == 422
    assert wrong.json()["detail"].startswith("metadata: ")
    assert wrong.json()["errors"][0]["loc"] == ["metadata"]


def test_w17_the_status_of_a_thread_is_that_of_its_run(sdk: Sdk) -> None:
    name = sdk.new(kind="w17")

    done = sdk.run(name, "chat", {"messages": []})
    assert (done["status"], done["error"]) == ("idle", None)
    asks = sdk.run(name, "chat", {"messages": [], "ask": "sure?"})
    assert asks["status"] == "interrupted"
    [[question]] = asks["interrupts"].values()
    assert question["value"] == {"question": "sure?"}
    assert question["response_schema"] == {"type": "boolean"}
    failed = sdk.run(name, "chat", {"messages": [], "fail": True})
    assert (failed["status"], failed["error"]) == ("error", "ValueError('boom')")

    for status in ("idle", "interrupted", "busy"):
        assert sdk.threads.search(metadata={"kind": "w17"}, status=status) == []
    assert sdk.threads.count(metadata={"kind": "w17"}, status="error") == 1


def test_w17_a_thread_at_work_is_busy_and_then_is_not(sdk: Sdk) -> None:
    name = sdk.new(kind="work")
    run = sdk.client.enqueue("slow", 0.3, thread_id=name)

    assert sdk.threads.get(name)["status"] == "busy"
    assert [each["thread_id"] for each in sdk.threads.search(status="busy")] == [name]
    sdk.settled(run.run_id)

    assert sdk.threads.get(name)["status"] == "idle"
    assert sdk.threads.search(status="busy") == []


def test_a_thread_that_only_a_client_has_used_is_shown_but_not_listed(sdk: Sdk) -> None:
    before = sdk.threads.count()

    found = sdk.run("unlisted", "chat", {"messages": [], "ask": "sure?"})

    assert found["status"] == "interrupted"
    assert found["metadata"] == {}
    assert sdk.threads.count() == before
    sdk.threads.update("unlisted", metadata={"kind": "listed"})
    assert sdk.threads.count(metadata={"kind": "listed"}, status="interrupted") == 1


def test_threads_are_looked_for(sdk: Sdk) -> None:
    names = []
    for number in range(5):
        names.append(sdk.new(kind="search", number=number, tags=["all", f"n{number}"]))
        tick()

    def found(**query: Any) -> list[int]:
        query.setdefault("metadata", {"kind": "search"})
        return [names.index(each["thread_id"]) for each in sdk.threads.search(**query)]

    assert found() == [4, 3, 2, 1, 0]
    assert found(limit=2, offset=1) == [3, 2]
    assert found(sort_by="created_at", sort_order="asc") == [0, 1, 2, 3, 4]
    assert found(sort_by="thread_id", sort_order="asc") == [0, 1, 2, 3, 4]
    assert found(metadata={"kind": "search", "number": 3}) == [3]
    assert found(metadata={"tags": ["n2", "all"]}) == [2]
    assert found(ids=[names[1], "nobody", names[0]]) == [1, 0]
    assert sdk.threads.count(metadata={"kind": "search"}) == 5
    page = sdk.http.post(
        "/threads/search", json={"metadata": {"kind": "search"}, "limit": 2, "offset": 2}
    )
    assert page.headers["x-pagination-total"] == "5"
    assert page.headers["x-pagination-next"] == "4"
    last = sdk.http.post("/threads/search", json={"metadata": {"kind": "search"}, "offset": 2})
    assert "x-pagination-next" not in last.headers


def test_some_of_a_thread_is_shown(sdk: Sdk) -> None:
    name = sdk.new(kind="some")
    sdk.run(name, "chat", {"messages": [{"role": "user", "content": "hi", "id": "u"}]})

    [found] = sdk.threads.search(metadata={"kind": "some"}, select=["thread_id", "status"])
    assert found == {"thread_id": name, "status": "idle"}
    [found] = sdk.threads.search(
        metadata={"kind": "some"},
        select=["thread_id"],
        extract={"last": "values.messages[-1].content", "ids": "values.messages[*].id"},
    )
    assert found["extracted"] == {"last": "answer 1", "ids": ["u", "ai-1"]}
    message = {"role": "user", "content": "hi", "id": "u"}
    assert sdk.threads.count(values={"messages": [message]}) == 1
    assert sdk.threads.search(values={"messages": [{"id": "v"}]}) == []


def test_a_thread_is_deleted_though_runs_are_at_work_on_it(sdk: Sdk) -> None:
    name = sdk.new(kind="deleted")
    runs = [sdk.client.enqueue("slow", 30.0, thread_id=name) for _ in range(3)]
    until(lambda: runs[0].info().status == "running", 20, "the run to begin")

    sdk.threads.delete(name)

    with pytest.raises(NotFoundError):
        sdk.threads.get(name)
    assert sdk.threads.count(metadata={"kind": "deleted"}) == 0
    assert [run.run_id for run in sdk.client.runs(entrypoint="slow", status="running")] == []


def test_threads_are_pruned(sdk: Sdk) -> None:
    names = [sdk.new(kind="pruned") for _ in range(2)]

    assert sdk.threads.prune([*names, "nobody"])["pruned_count"] == 2
    assert sdk.threads.count(metadata={"kind": "pruned"}) == 0


def test_of_a_thread_the_newest_state_alone_is_kept(sdk: Sdk) -> None:
    names = [sdk.new(kind="trimmed") for _ in range(3)]
    message = {"role": "user", "content": "hi", "id": "u"}
    for _ in range(2):
        sdk.run(names[0], "chat", {"messages": [message]})
    sdk.run(names[1], "steps", {"log": []})
    sdk.run(names[2], "chat", {"messages": [message]})
    sdk.run(names[2], "chat", {"messages": [], "ask": "sure?"})
    before = [sdk.threads.get_state(name)["values"] for name in names]

    assert sdk.threads.prune([*names, "nobody"], strategy="keep_latest")["pruned_count"] == 2

    assert [sdk.threads.get_state(name)["values"] for name in names] == before
    assert [len(sdk.threads.get_history(name)) for name in names] == [1, 1, 3]
    assert len(sdk.run(names[0], "chat", {"messages": []})["values"]["messages"]) == 5
    assert sdk.run(names[1], "steps", {"log": ["ask"]})["status"] == "interrupted"
    assert sdk.threads.search(metadata={"kind": "trimmed"}, status="idle", select=["thread_id"])


def test_a_thread_is_copied_with_its_history(sdk: Sdk) -> None:
    name = sdk.new(kind="copied")
    sdk.run(name, "chat", {"messages": [{"role": "user", "content": "hi", "id": "u"}]})

    copy = sdk.http.post(f"/threads/{name}/copy").json()

    assert copy["thread_id"] != name
    assert copy["values"] == sdk.threads.get(name)["values"]
    assert len(sdk.threads.get_history(copy["thread_id"])) == 2
    assert sdk.threads.count(metadata={"kind": "copied"}) == 2
    bare = sdk.new(kind="bare")
    assert sdk.http.post(f"/threads/{bare}/copy").json()["metadata"] == {"kind": "bare"}
