"""The state of threads, with LangGraph's own client."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError

from penstock.gateway.compatible.task_ids import body_id
from tests.gateway.compatible import sdk as processes
from tests.gateway.compatible.sdk import Sdk
from tests.support.until import until

sdk = processes.sdk

KEYS = {
    *("values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint"),
    *("interrupts", "checkpoint_id", "parent_checkpoint_id"),
}


def user(number: int) -> dict[str, Any]:
    return {"id": f"u{number}", "type": "human", "content": f"question {number}"}


def ai(number: int) -> dict[str, Any]:
    return {"id": f"ai-{number}", "type": "ai", "content": f"answer {number}"}


def test_a_thread_on_which_nothing_ran_has_an_empty_state(sdk: Sdk) -> None:
    name = sdk.new()

    state = sdk.threads.get_state(name)

    assert state.keys() == KEYS
    assert (state["values"], state["next"], state["tasks"]) == ({}, [], [])
    assert state["checkpoint"] is None
    assert sdk.threads.get_history(name) == []


def test_a_run_leaves_two_states(sdk: Sdk) -> None:
    name = sdk.new(graph_id="chat", assistant_id="a", owner="ann")
    run = sdk.client.enqueue("chat", {"messages": [user(1)]}, thread_id=name)
    sdk.settled(run.run_id)

    after, before = sdk.threads.get_history(name)

    assert after.keys() == before.keys() == KEYS
    assert after == sdk.threads.get_state(name)
    assert after["values"] == {"messages": [user(1), ai(1)]}
    assert after["parent_checkpoint"] == before["checkpoint"]
    assert (after["next"], before["next"]) == ([], ["chat"])
    wanted = {"step": 0, "source": "loop", "run_id": run.run_id, "thread_id": name}
    assert after["metadata"].items() >= (wanted | {"graph_id": "chat", "assistant_id": "a"}).items()
    assert "owner" not in after["metadata"]
    assert before["metadata"]["source"] == "input"
    assert [task["id"] for task in before["tasks"]] == [body_id(run.run_id)]


def test_a_state_is_asked_for_by_its_checkpoint_in_each_way(sdk: Sdk) -> None:
    name = sdk.new()
    for number in (1, 2):
        sdk.run(name, "chat", {"messages": [user(number)]})
    states = sdk.threads.get_history(name)
    checkpoint, checkpoint_id = states[2]["checkpoint"], states[2]["checkpoint_id"]

    assert sdk.threads.get_state(name, checkpoint_id=checkpoint_id) == states[2]
    assert sdk.threads.get_state(name, checkpoint=checkpoint) == states[2]
    config = {"configurable": checkpoint}
    for before in (checkpoint_id, checkpoint, config):
        assert sdk.threads.get_history(name, before=before) == states[3:]
    assert sdk.threads.get_history(name, limit=1) == states[:1]
    assert sdk.threads.get_history(name, metadata={"source": "loop"}) == states[::2]
    listed = sdk.http.get(f"/threads/{name}/history", params={"limit": 2}).json()
    assert listed == states[:2]
    part = sdk.threads.get_state(name, select=["values.messages", "next"])
    assert part == {"values": states[0]["values"], "next": []}


def test_w4_the_body_is_the_one_task_and_has_all_questions(sdk: Sdk) -> None:
    name = sdk.new()
    run = sdk.client.enqueue("both", {}, thread_id=name)
    sdk.settled(run.run_id)

    state = sdk.threads.get_state(name)

    [task] = state["tasks"]
    assert (task["id"], task["name"]) == (body_id(run.run_id), "both")
    assert sorted(each["value"] for each in task["interrupts"]) == ["left", "right"]
    assert task["interrupts"] == state["interrupts"]
    assert state["next"] == ["both"]
    assert sdk.threads.get(name)["interrupts"] == {task["id"]: task["interrupts"]}


def test_w18_the_state_of_a_failed_run_has_its_error(sdk: Sdk) -> None:
    name = sdk.new()
    sdk.run(name, "chat", {"messages": [], "fail": True})

    assert sdk.threads.get_state(name)["tasks"][-1]["error"] == "ValueError('boom')"


def test_w19_a_chat_that_asks_or_has_failed_shows_what_it_has(sdk: Sdk) -> None:
    name = sdk.new()

    asks = sdk.run(name, "chat", {"messages": [user(1)], "ask": "sure?"})
    assert asks["values"]["messages"] == [user(1), ai(1)]
    assert sdk.threads.get_state(name)["values"]["messages"] == [user(1), ai(1)]
    sdk.client.thread(name).resume(True)
    until(lambda: sdk.threads.get(name)["status"] == "idle", 20, "the end")
    failed = sdk.run(name, "chat", {"messages": [user(2)], "fail": True})

    assert failed["values"]["messages"] == [user(1), ai(1), user(2), ai(3)]
    assert sdk.client.thread(name).state().values == {"messages": [user(1), ai(1)]}


def test_metadata_is_added_as_older_clients_do_it(sdk: Sdk) -> None:
    name = sdk.new(a=1)

    found = sdk.http.patch(f"/threads/{name}/state", json={"metadata": {"b": 2}})

    assert found.status_code == 204
    assert sdk.threads.get(name)["metadata"] == {"a": 1, "b": 2}


def test_w8_values_are_shown_as_they_are_saved(sdk: Sdk) -> None:
    name = sdk.new()
    said = {"role": "user", "content": "hi"}

    assert sdk.run(name, "chat", {"messages": [said]})["values"]["messages"][0] == said


def test_the_state_of_a_thread_is_changed(sdk: Sdk) -> None:
    name = sdk.new(graph_id="chat")
    sdk.run(name, "chat", {"messages": [user(1)]})
    before = sdk.threads.get_state(name)

    made = sdk.threads.update_state(name, {"messages": [user(7)]}, as_node="chat")

    assert made["checkpoint"] == sdk.threads.get_state(name)["checkpoint"]
    assert made["configurable"]["checkpoint_id"] == made["checkpoint_id"]
    assert sdk.threads.get(name)["values"] == {"messages": [user(7)]}
    sdk.threads.update_state(name, {"messages": []}, checkpoint=before["checkpoint"])
    assert sdk.threads.get_state(name)["parent_checkpoint"] == before["checkpoint"]
    with pytest.raises(UnprocessableEntityError, match="as_node"):
        sdk.threads.update_state(name, {}, as_node="elsewhere")
    with pytest.raises(NotFoundError, match="checkpoint '99'"):
        sdk.threads.update_state(name, {}, checkpoint_id="99")


def test_an_update_answers_for_a_run_that_asks_and_not_for_one_at_work(sdk: Sdk) -> None:
    name = sdk.new()
    sdk.run(name, "chat", {"messages": [], "ask": "sure?"})

    sdk.threads.update_state(name, {"messages": [user(1)]})

    assert sdk.threads.get(name)["status"] == "idle"
    run = sdk.client.enqueue("slow", 0.5, thread_id=name)
    with pytest.raises(ConflictError, match="busy"):
        sdk.threads.update_state(name, {"messages": []})
    sdk.settled(run.run_id)


def test_the_thread_of_a_hosted_graph_has_the_states_of_the_graph(sdk: Sdk) -> None:
    name = sdk.new(graph_id="steps")

    thread = sdk.run(name, "steps", {"log": ["ask"]})

    assert (thread["status"], thread["values"]) == ("interrupted", {"log": ["ask", "first"]})
    state = sdk.threads.get_state(name)
    [task] = state["tasks"]
    assert (state["next"], task["name"]) == (["second"], "second")
    assert [each["value"] for each in task["interrupts"]] == ["go on?"]
    assert thread["interrupts"] == {task["id"]: task["interrupts"]}
    states = sdk.threads.get_history(name)
    assert [each["next"] for each in states] == [["second"], ["first"], ["__start__"]]
    assert sdk.threads.get_state(name, checkpoint=states[1]["checkpoint"]) == states[1]
    made = sdk.threads.update_state(name, {"log": ["by hand"]}, as_node="first")
    after = sdk.threads.get_state(name)
    assert after["checkpoint"] == made["checkpoint"]
    assert after["values"]["log"] == ["ask", "first", "by hand"]


def test_w14_the_thread_of_a_graph_has_no_state_before_the_first_run(sdk: Sdk) -> None:
    until(lambda: sdk.assistants.get_schemas("steps")["input_schema"], 20, "a description")
    name = sdk.new(graph_id="steps")
    steps = [{"updates": [{"values": {"log": ["one"]}, "as_node": "first"}]}]

    with pytest.raises(UnprocessableEntityError, match="before the first run"):
        sdk.threads.update_state(name, {"log": ["before"]}, as_node="first")
    with pytest.raises(UnprocessableEntityError, match="before the first run"):
        sdk.threads.create(thread_id="never", graph_id="steps", supersteps=steps)
    with pytest.raises(NotFoundError):
        sdk.threads.get("never")


def test_a_thread_is_made_with_the_states_of_another(sdk: Sdk) -> None:
    steps = [
        {"updates": [{"values": {"messages": [user(1)]}, "as_node": "chat"}]},
        {"updates": [{"values": {"messages": [user(2)]}, "as_node": "chat"}]},
    ]

    made = sdk.threads.create(graph_id="chat", supersteps=steps)

    assert made["values"] == {"messages": [user(2)]}
    assert len(sdk.threads.get_history(made["thread_id"])) == 2
