"""Runs as LangGraph's own client begins, lists, waits for, cancels and deletes them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from tests.gateway.compatible.served import Served
from tests.support.until import until


def test_a_run_without_a_thread_is_waited_for(served: Served) -> None:
    assert served.wait(None, "doubled", input=4) == {"result": 8}


def test_a_graph_is_run_on_a_thread_and_keeps_its_state(served: Served) -> None:
    thread = served.thread()
    hello = {"messages": [{"type": "human", "content": "hi", "id": "h1"}]}

    values = served.wait(thread, "talking", input=hello)

    assert [each["content"] for each in values["messages"]] == ["hi", "one two three"]


def test_a_run_has_every_field_that_clients_know(served: Served) -> None:
    thread = served.thread()

    run = served.create(
        thread,
        "doubled",
        input=4,
        metadata={"who": "me"},
        multitask_strategy="reject",
    )

    assert run["status"] in ("pending", "running", "success")
    assert run["thread_id"] == thread
    assert run["metadata"]["who"] == "me"
    assert run["metadata"]["graph_id"] == "doubled"
    assert run["metadata"]["assistant_id"] == run["assistant_id"]
    assert run["multitask_strategy"] == "reject"
    assert run["kwargs"]["input"] == 4
    assert run["created_at"].endswith("+00:00")
    assert served.sdk.runs.join(thread, run["run_id"]) == {"result": 8}
    assert served.sdk.runs.get(thread, run["run_id"])["status"] == "success"


def test_an_assistant_is_named_by_its_graph_or_by_its_id(served: Served) -> None:
    run = served.create(served.thread(), "doubled", input=1)

    assert served.wait(None, run["assistant_id"], input=4) == {"result": 8}


def test_w18_a_failed_run_is_an_answer_and_no_http_error(served: Served) -> None:
    thread = served.thread()

    assert served.wait(thread, "broken", input=1) == {
        "__error__": {"error": "ValueError", "message": "boom"}
    }
    (run,) = served.sdk.runs.list(thread)
    assert run["status"] == "error"
    joined = served.sdk.runs.join(thread, run["run_id"])
    assert joined["__error__"]["message"] == "boom"


def test_runs_of_a_thread_are_listed_newest_first_and_in_parts(served: Served) -> None:
    thread = served.thread()
    for number in range(3):
        served.wait(thread, "doubled", input=number)
    served.wait(thread, "broken", input=1)

    runs = served.sdk.runs.list(thread)

    assert [run["status"] for run in runs] == ["error", "success", "success", "success"]
    assert [run["kwargs"]["input"] for run in runs[1:]] == [2, 1, 0]
    assert served.sdk.runs.list(thread, limit=1, offset=2) == [runs[2]]
    assert served.sdk.runs.list(thread, status="error") == [runs[0]]
    assert served.sdk.runs.list(thread, select=["run_id"])[0] == {"run_id": runs[0]["run_id"]}


def test_the_run_of_a_plain_client_is_shown_too(served: Served) -> None:
    thread = served.thread()
    run = served.client.enqueue("doubled", 5, thread_id=thread)

    assert served.sdk.runs.join(thread, run.run_id) == {"result": 10}
    (shown,) = served.sdk.runs.list(thread)
    assert (shown["run_id"], shown["status"]) == (run.run_id, "success")


def test_a_thread_that_is_not_there_is_404_unless_it_is_to_be_created(served: Served) -> None:
    with pytest.raises(NotFoundError):
        served.sdk.runs.create("nobody-knows-it", "doubled", input=1)


def test_a_thread_is_found_by_the_graph_that_ran_on_it(served: Served) -> None:
    thread = str(served.sdk.threads.create()["thread_id"])

    run = served.sdk.runs.create(thread, "doubled", input=1)
    served.sdk.runs.join(thread, run["run_id"])

    found = served.sdk.threads.get(thread)
    assert found["metadata"]["graph_id"] == "doubled"
    assert found["metadata"]["assistant_id"] == run["assistant_id"]
    assert found["status"] == "idle"
    assert found["values"] == {"result": 2}
    kept = served.create(None, "doubled", input=1, on_completion="keep")
    assert served.sdk.threads.get(kept["thread_id"])["metadata"]["graph_id"] == "doubled"


def test_w19_a_chat_that_asks_shows_what_was_said(served: Served) -> None:
    thread = served.thread()
    hello = {"messages": [{"role": "user", "content": "hi", "id": "u1"}]}

    asked = served.wait(thread, "asking_chat", input=hello)

    assert asked["messages"] == hello["messages"]
    assert asked["__interrupt__"][0]["value"] == "sure?"
    answered = served.wait(thread, "asking_chat", command={"resume": "yes"})
    assert [each["content"] for each in answered["messages"]] == ["hi", "yes"]


def test_an_unknown_graph_is_422_and_the_others_are_named(served: Served) -> None:
    with pytest.raises(UnprocessableEntityError) as refused:
        served.create(served.thread(), "nonsense", input=1)

    assert "doubled" in refused.value.response.text


@pytest.mark.parametrize("path", ["join", "stream", ""])
def test_w16_an_unknown_run_is_404(served: Served, path: str) -> None:
    for name in ("unknown", "unknown.2", "un.known.x"):
        found = served.http.get(f"/threads/t/runs/{name}/{path}".rstrip("/"))
        assert found.status_code == 404
        assert name in found.json()["detail"]


def test_a_run_is_not_found_on_another_thread(served: Served) -> None:
    run = served.create(served.thread(), "doubled", input=1)

    with pytest.raises(NotFoundError):
        served.sdk.runs.get(served.thread(), run["run_id"])


@pytest.mark.parametrize(
    "body",
    [
        {"after_seconds": -5},
        {"webhook": "ftp://example.org"},
        {"command": {"goto": "last"}},
        {"command": {"update": {"log": []}}},
        {"stream_mode": "nonsense"},
        {"multitask_strategy": "nonsense"},
    ],
)
def test_w14_what_is_known_and_cannot_be_done_is_422(served: Served, body: dict[str, Any]) -> None:
    found = served.http.post("/runs", json={"assistant_id": "doubled", "input": 1, **body})

    assert found.status_code == 422
    assert next(iter(body)) in found.json()["detail"]


def test_w14_what_is_not_known_is_ignored(served: Served) -> None:
    body: dict[str, Any] = {
        "assistant_id": "doubled",
        "input": 1,
        "feedback_keys": ["x"],
        "new_in_3.0": 1,
    }

    assert served.http.post("/runs", json=body).status_code == 200


def test_a_context_and_configurable_are_400(served: Served) -> None:
    config = {"configurable": {"x": 1}}
    body = {"assistant_id": "doubled", "input": 1, "context": {"x": 1}, "config": config}

    assert served.http.post("/runs", json=body).status_code == 400


def test_a_busy_thread_refuses_or_is_interrupted(served: Served) -> None:
    thread, slow = served.thread(), {"numbers": 200, "pause": 0.05}
    first = served.create(thread, "paced", input=slow)

    with pytest.raises(ConflictError):
        served.create(thread, "doubled", input=1, multitask_strategy="reject")
    assert served.wait(thread, "doubled", input=2, multitask_strategy="interrupt") == {"result": 4}
    assert served.sdk.runs.get(thread, first["run_id"])["status"] == "interrupted"


def test_a_run_that_is_rolled_back_is_gone(served: Served) -> None:
    thread, slow = served.thread(), {"numbers": 200, "pause": 0.05}
    first = served.create(thread, "paced", input=slow)

    assert served.wait(thread, "doubled", input=2, multitask_strategy="rollback") == {"result": 4}

    with pytest.raises(NotFoundError):
        served.sdk.runs.get(thread, first["run_id"])
    assert len(served.sdk.runs.list(thread)) == 1


def test_a_run_that_waits_for_another_is_pending_and_can_be_cancelled(served: Served) -> None:
    thread, slow = served.thread(), {"numbers": 200, "pause": 0.05}
    first = served.create(thread, "paced", input=slow)
    second = served.create(thread, "doubled", input=1)
    assert second["status"] == "pending"

    served.sdk.runs.cancel(thread, second["run_id"])
    served.sdk.runs.cancel(thread, first["run_id"], wait=True)

    runs = served.sdk.runs.list(thread)
    assert [run["status"] for run in runs] == ["interrupted"] * len(runs)
    with pytest.raises(NotFoundError):
        served.sdk.runs.cancel(thread, first["run_id"])


def test_a_run_that_begins_later_is_pending_until_then(served: Served) -> None:
    thread = served.thread()

    run = served.create(thread, "doubled", input=1, after_seconds=1.5)
    behind = served.create(thread, "doubled", input=2, after_seconds=0.1)

    assert (run["status"], behind["status"]) == ("pending", "pending")
    assert served.sdk.runs.join(thread, behind["run_id"]) == {"result": 4}
    shown = served.sdk.runs.get(thread, run["run_id"])
    assert (shown["status"], shown["kwargs"]["after_seconds"]) == ("success", 1.5)
    begun = served.client.get(run["run_id"]).info()
    assert begun.started_at is not None
    assert (begun.started_at - begun.created_at).total_seconds() >= 1.5


def test_a_run_that_begins_later_can_be_cancelled(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "doubled", input=1, after_seconds=600)

    served.sdk.runs.cancel(thread, run["run_id"], wait=True)

    assert served.sdk.runs.get(thread, run["run_id"])["status"] == "interrupted"


def test_many_runs_are_cancelled_at_once(served: Served) -> None:
    thread, slow = served.thread(), {"numbers": 600, "pause": 0.05}
    runs = [served.create(thread, "paced", input=slow) for _ in range(3)]
    ids = [run["run_id"] for run in runs]

    served.sdk.runs.cancel_many(thread_id=thread, run_ids=ids[1:])
    waiting = [served.sdk.runs.get(thread, each)["status"] for each in ids[1:]]
    served.sdk.runs.cancel_many(status="all")
    served.sdk.runs.join(thread, ids[0])

    assert waiting == ["interrupted", "interrupted"]
    assert served.sdk.runs.get(thread, ids[0])["status"] == "interrupted"
    for body in ({}, {"thread_id": thread}, {"status": "all", "thread_id": "t", "run_ids": ids}):
        assert served.http.post("/runs/cancel", json=body).status_code == 422
    with pytest.raises(NotFoundError):
        served.sdk.runs.cancel_many(thread_id=thread, run_ids=["unknown"])


def test_a_run_is_deleted_also_while_it_works(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "paced", input={"numbers": 200, "pause": 0.05})

    served.sdk.runs.delete(thread, run["run_id"])

    with pytest.raises(NotFoundError):
        served.sdk.runs.get(thread, run["run_id"])


def test_w9_a_run_is_cancelled_when_its_last_reader_has_left(served: Served) -> None:
    slow = {"numbers": 600, "pause": 0.05}
    body = {"assistant_id": "paced", "input": slow, "on_disconnect": "cancel"}

    def left(other: ExitStack | None = None) -> str:
        """Begin a run, follow it and leave; perhaps another reader follows it meanwhile."""
        with served.http.stream("POST", "/runs/stream", json=body) as answer:
            place = str(answer.headers["content-location"])
            if other is not None:
                other.enter_context(served.http.stream("GET", f"{place}/stream"))
        return place.rpartition("/")[2]

    def status(run_id: str) -> str:
        return str(served.sdk.runs.get(run_id, run_id)["status"])

    with ExitStack() as reader:
        followed, alone = left(reader), left()
        until(lambda: status(alone) == "interrupted", 10.0, "a run that is cancelled")
        assert status(followed) == "running"
    served.sdk.runs.cancel(followed, followed)
