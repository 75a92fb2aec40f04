"""Commands that move a graph, given by LangGraph's own client."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import UnprocessableEntityError

from tests.gateway.compatible.served import Served


def over(served: Served) -> str:
    """Return a thread whose graph has come to its end."""
    thread = served.thread()
    served.wait(thread, "approving", input={"log": []})
    values = served.wait(thread, "approving", command={"resume": "yes"})
    assert values["log"] == ["first", "approved: yes", "last"]
    return thread


def test_a_command_changes_the_state_and_says_where_to_go_on(served: Served) -> None:
    thread = over(served)

    values = served.wait(
        thread, "approving", command={"update": {"log": ["moved"]}, "goto": "last"}
    )

    assert values["log"][-2:] == ["moved", "last"]
    run = served.sdk.runs.list(thread)[0]
    assert run["kwargs"]["input"] is None
    assert run["kwargs"]["command"] == {"update": {"log": ["moved"]}, "goto": "last"}


def test_a_command_may_have_pairs_and_give_a_node_an_input(served: Served) -> None:
    thread = over(served)
    update = [["log", ["one"]], ["log", ["two"]]]
    goto: Any = [{"node": "last", "input": {"log": []}}]

    values = served.wait(thread, "approving", command={"update": update, "goto": goto})

    assert values["log"][-3:] == ["one", "two", "last"]


def test_a_command_goes_on_beside_a_question_which_stays_open(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "approving", input={"log": []})

    moved = served.wait(thread, "approving", command={"update": {"log": ["moved"]}})
    values = served.wait(thread, "approving", command={"resume": "yes"})

    assert moved["__interrupt__"][0]["value"] == {"question": "ok?"}
    assert values["log"] == ["first", "moved", "approved: yes", "last"]


@pytest.mark.parametrize(
    ("flow", "command", "why"),
    [
        ("asking", {"goto": "last"}, "'asking' is an entrypoint"),
        ("asking", {"update": {"log": []}}, "'asking' is an entrypoint"),
        ("approving", {"goto": "nowhere"}, "no node 'nowhere'; it has .*'approve'"),
        ("approving", {"goto": [{"input": 1}]}, "command: .*goto"),
        ("approving", {"update": 5}, "command: .*update"),
        ("approving", {"resume": 1, "goto": "last"}, "command: .*one of both"),
    ],
)
def test_a_command_that_cannot_be_followed_is_refused(
    served: Served, flow: str, command: dict[str, Any], why: str
) -> None:
    with pytest.raises(UnprocessableEntityError, match=why):
        served.create(served.thread(), flow, command=command)
