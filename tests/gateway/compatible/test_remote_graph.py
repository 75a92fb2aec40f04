"""RemoteGraph of LangGraph: a graph of a worker, called as if it were here."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command

from tests.gateway.compatible.flows import Log
from tests.gateway.compatible.served import Served


def remote(served: Served, name: str) -> Any:
    return RemoteGraph(name, sync_client=served.sdk)


def on(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def test_a_graph_is_invoked_with_and_without_a_thread(served: Served) -> None:
    hello = {"messages": [{"type": "human", "content": "hi", "id": "h1"}]}
    talking, config = remote(served, "talking"), on(served.thread())

    alone = talking.invoke(hello)
    first = talking.invoke(hello, config)
    second = talking.invoke({"messages": [{"type": "human", "content": "again"}]}, config)

    assert [each["content"] for each in alone["messages"]] == ["hi", "one two three"]
    assert first["messages"][:2] == second["messages"][:2]
    assert talking.get_state(config).values == second


def test_an_entrypoint_is_invoked_and_its_failure_is_raised(served: Served) -> None:
    assert remote(served, "doubled").invoke(4) == {"result": 8}
    with pytest.raises(RemoteException, match="boom"):
        remote(served, "broken").invoke(1)


def test_a_graph_is_streamed_in_each_mode(served: Served) -> None:
    hello = {"messages": [{"type": "human", "content": "hi", "id": "h1"}]}
    talking = remote(served, "talking")

    modes = ["messages", "updates", "values"]
    parts = [part[:2] for part in talking.stream(hello, on(served.thread()), stream_mode=modes)]

    by_mode = {mode: [data for each, data in parts if each == mode] for mode in modes}
    words = [chunk["content"] for chunk, _ in by_mode["messages"]]
    assert "".join(words) == "one two three"
    (update,) = by_mode["updates"]
    assert update["talk"]["messages"][0]["content"] == "one two three"
    assert len(by_mode["values"][-1]["messages"]) == 2


@pytest.mark.parametrize(("flow", "given"), [("approving", {"log": []}), ("asking", 1)])
def test_a_question_is_seen_and_answered(served: Served, flow: str, given: Any) -> None:
    asking, config = remote(served, flow), on(served.thread())

    asked = asking.invoke(given, config)
    state = asking.get_state(config)
    answered = asking.invoke(Command(resume=True), config)

    (question,) = asked["__interrupt__"]
    assert [each.value for each in state.interrupts] == [question["value"]]
    assert state.next
    assert "True" in str(answered)
    assert asking.get_state(config).next == ()


def test_a_graph_is_moved_by_a_command(served: Served) -> None:
    approving, config = remote(served, "approving"), on(served.thread())
    approving.invoke({"log": []}, config)
    approving.invoke(Command(resume="yes"), config)

    moved = approving.invoke(Command(update={"log": ["moved"]}, goto="last"), config)

    assert moved["log"] == ["first", "approved: yes", "last", "moved", "last"]


def test_a_history_is_read_and_a_state_is_changed(served: Served) -> None:
    approving, config = remote(served, "approving"), on(served.thread())
    approving.invoke({"log": []}, config)

    history = list(approving.get_state_history(config))
    changed = approving.update_state(config, {"log": ["changed"]}, as_node="first")
    state = approving.get_state(config)

    assert [each.metadata["step"] for each in history] == [1, 0, -1]
    assert state.config["configurable"]["checkpoint_id"] == changed["configurable"]["checkpoint_id"]
    assert state.values["log"] == ["first", "changed"]
    assert state.next == ("approve",)
    assert approving.get_state(history[-1].config).values == history[-1].values


def test_it_is_a_node_of_another_graph(served: Served) -> None:
    builder: Any = StateGraph(Log)
    builder.add_node("far", remote(served, "approving"))
    builder.add_edge(START, "far")

    parts = list(builder.compile().stream({"log": []}, stream_mode="updates"))

    assert "__interrupt__" in parts[-1]
    (asked,) = parts[-1]["__interrupt__"]
    assert asked.value == {"question": "ok?"}


def test_it_is_drawn(served: Served) -> None:
    drawing = remote(served, "approving").get_graph()

    assert {"first", "approve", "last"} <= set(drawing.nodes)
