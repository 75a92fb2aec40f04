"""The thread protocol as it is on the wire."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.gateway.compatible.protocol_client import (
    CHANNELS,
    command,
    is_over,
    shown,
    start,
    stream,
    until,
)
from tests.gateway.compatible.served import Served

HI = {"messages": [{"role": "user", "content": "hi", "id": "h1"}]}


def test_what_a_run_does_is_told_on_its_channels(served: Served) -> None:
    thread = served.thread()
    run_id = start(served, thread, "doubled", 4)["result"]["run_id"]

    found = until(stream(served.url, thread))

    names = [name if name != "tasks" else data["name"] for name, data in shown(found)]
    assert names == [
        *("lifecycle", "checkpoints", "doubled", "double", "custom", "updates", "double"),
        *("updates", "doubled", "checkpoints", "values", "lifecycle"),
    ]
    begin, end = shown(found, "lifecycle")
    assert begin == {"event": "running", "graph_name": "doubled"}
    assert end == {"event": "completed", "graph_name": "doubled"}
    assert shown(found, "custom") == [{"payload": {"doubling": 4}}]
    assert shown(found, "updates")[0] == {"node": "double", "values": 8}
    assert shown(found, "values") == [{"result": 8}]
    assert shown(found, "checkpoints") == [
        {"id": "1", "step": -1, "source": "input"},
        {"id": "2", "step": 0, "source": "loop", "parent_id": "1"},
    ]
    assert {each["event_id"].partition(":")[0] for each in found} == {run_id}
    assert all(isinstance(each["params"]["timestamp"], int) for each in found)


def test_messages_come_block_by_block(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "talking", HI)

    found = until(stream(served.url, thread, ["messages", "lifecycle"]))

    parts = shown(found, "messages")
    assert [part["event"] for part in parts] == [
        *("message-start", "content-block-start", *["content-block-delta"] * 5),
        *("content-block-finish", "message-finish"),
    ]
    assert {part["id"] for part in parts} == {"ai-graph"}
    assert parts[0]["role"] == "ai"
    assert "".join(part["delta"]["text"] for part in parts[2:7]) == "one two three"
    assert parts[-2]["content"] == {"type": "text", "text": "one two three"}
    assert {each["params"]["node"] for each in found if each["method"] == "messages"} == {"talk"}


def test_void_words_are_told_of(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "stammering", thread)

    parts = shown(until(stream(served.url, thread)), "messages")

    events = [part["event"] for part in parts]
    start_over = events.index("error")
    assert events[:start_over] == ["message-start", "content-block-start", "content-block-delta"]
    assert events[start_over + 1 :] == [
        *("message-start", "content-block-start", "content-block-delta", "content-block-delta"),
        *("content-block-finish", "message-finish"),
    ]
    assert parts[-2]["content"] == {"type": "text", "text": "half a sentence"}


def test_calls_of_tools_and_their_answers_have_a_channel(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "calling", "life")

    found = until(stream(served.url, thread))

    started, finished = shown(found, "tools")
    assert started == {
        "event": "tool-started",
        "tool_call_id": "call-1",
        "tool_name": "look_up",
        "input": {"of": "life"},
    }
    assert (finished["event"], finished["tool_call_id"]) == ("tool-finished", "call-1")
    assert finished["output"]["content"] == "42"
    ends = [each for each in shown(found, "messages") if each["event"] == "content-block-finish"]
    assert [each["content"]["type"] for each in ends] == ["text", "tool_call"]


def test_a_question_is_asked_and_answered_once(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "asking", 1)
    events = stream(served.url, thread)

    asked = until(events)
    (question,) = shown(asked, "input.requested")
    name = question["interrupt_id"]
    answer: Any = {"namespace": [], "response": True}
    wrong = command(served, thread, "input.respond", interrupt_id="0" * 32, **answer)
    answered = command(served, thread, "input.respond", interrupt_id=name, **answer)
    twice = command(served, thread, "input.respond", interrupt_id=name, **answer)
    rest = until(events)

    assert question["payload"] == question["value"] == {"approve": 1}
    assert shown(asked)[-1] == ("lifecycle", {"event": "interrupted", "graph_name": "asking"})
    assert (wrong["type"], wrong["error"]) == ("error", "no_such_interrupt")
    assert (answered["type"], answered["id"], answered["result"]) == ("success", 7, {})
    assert (twice["type"], twice["error"]) == ("error", "no_such_interrupt")
    assert shown(rest, "values") == [{"answer": True}]
    assert shown(rest, "lifecycle")[0]["event"] == "running"
    assert shown(rest, "input.requested") == []


def test_several_questions_are_answered_together(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "asking_twice", 1)
    events = stream(served.url, thread)
    asked = shown(until(events), "input.requested")

    answers: list[Any] = [
        {"namespace": [], "interrupt_id": each["interrupt_id"], "response": each["value"] * 2}
        for each in asked
    ]
    command(served, thread, "input.respond", responses=answers)

    assert shown(until(events), "values") == [["aa", "bb"]]


def test_a_failure_is_told(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "broken", 1)

    found = until(stream(served.url, thread, ["lifecycle"]))

    assert shown(found, "lifecycle")[-1] == {
        "event": "failed",
        "graph_name": "broken",
        "error": "ValueError: boom",
    }


# -- places ---------------------------------------------------------------------------------------


def three_legs(served: Served) -> str:
    """Have a thread with three legs of two runs."""
    thread = served.thread()
    start(served, thread, "asking", 1)
    (question,) = shown(until(stream(served.url, thread)), "input.requested")
    answer: Any = {"interrupt_id": question["interrupt_id"], "namespace": [], "response": True}
    command(served, thread, "input.respond", **answer)
    served.wait(thread, "chat", input=HI)
    return thread


def test_w11_an_event_has_one_place_for_all_who_follow(served: Served) -> None:
    thread = three_legs(served)

    whole = until(stream(served.url, thread, since=0), times=3)

    seqs = [each["seq"] for each in whole]
    assert seqs == sorted(set(seqs))
    assert seqs[-1] < 2**53
    assert len({each["event_id"] for each in whole}) == len(whole)
    for channel in CHANNELS:
        some = until(stream(served.url, thread, [channel, "lifecycle"], since=0), times=3)
        methods = {"input": "input.requested"}.get(channel, channel)
        assert some == [each for each in whole if each["method"] in (methods, "lifecycle")]


def test_w11_a_reader_goes_on_behind_any_event(served: Served) -> None:
    thread = three_legs(served)
    whole = until(stream(served.url, thread, since=0), times=3)
    ends = [is_over(each) for each in whole]

    for at, event in enumerate(whole[:-1]):
        rest = until(stream(served.url, thread, since=event["seq"]), times=sum(ends[at + 1 :]))
        assert rest == whole[at + 1 :]


def test_w11_places_of_a_thread_that_is_gone_are_not_waited_for(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "doubled", 1)

    found = until(stream(served.url, thread, since=2**50))

    assert shown(found, "values") == [{"result": 2}]


def test_a_command_says_behind_what_its_run_begins(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "doubled", 1)
    until(stream(served.url, thread))

    seq = start(served, thread, "doubled", 2)["meta"]["applied_through_seq"]
    found = until(stream(served.url, thread, since=seq))

    assert shown(found, "lifecycle")[0]["event"] == "running"
    assert shown(found, "values") == [{"result": 4}]


# -- what is sent, and from where on --------------------------------------------------------------


def test_a_channel_may_have_a_name(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "telling", 2)

    named = until(stream(served.url, thread, ["custom:progress", "lifecycle"]))
    every = until(stream(served.url, thread, ["custom", "lifecycle"]))

    progress = [{"name": "progress", "payload": 0}, {"name": "progress", "payload": 1}]
    assert shown(named, "custom") == progress
    assert shown(every, "custom") == [*progress, {"payload": "no name"}]


def test_namespaces_and_their_depth_are_chosen(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "nesting", 2)
    whole = until(stream(served.url, thread))
    below = {tuple(each["params"]["namespace"]) for each in whole} - {()}
    (inner,) = {path for path in below if len(path) == 1}

    begins = [each for each in whole if each["params"]["namespace"] == list(inner)]
    root = until(stream(served.url, thread, namespaces=[[]], depth=0))
    nested = stream(served.url, thread, ["custom", "lifecycle"], namespaces=[list(inner)])

    assert shown(begins, "lifecycle") == [
        {"event": "started", "graph_name": "doubled"},
        {"event": "completed", "graph_name": "doubled"},
    ]
    assert root == [each for each in whole if not each["params"]["namespace"]]
    found = until(nested, lambda each: each["params"]["data"].get("event") == "completed")
    assert shown(found, "custom") == [{"payload": {"doubling": 2}}]


def test_a_thread_may_be_followed_before_it_is_there(served: Served) -> None:
    thread = served.thread()
    begin = threading.Timer(0.3, start, (served, thread, "doubled", 3))
    begin.start()

    found = until(stream(served.url, thread))

    begin.join()
    assert shown(found, "values") == [{"result": 6}]


def test_who_wants_ends_alone_is_told_no_earlier_one(served: Served) -> None:
    thread = served.thread()
    for number in (1, 2):
        start(served, thread, "doubled", number)
        until(stream(served.url, thread))
    events = stream(served.url, thread, ["lifecycle", "input"])
    again = threading.Timer(0.3, start, (served, thread, "broken", 3))
    again.start()

    found = until(events)

    again.join()
    assert [each["event"] for each in shown(found, "lifecycle")] == ["running", "failed"]


# -- other commands -------------------------------------------------------------------------------


def test_states_are_read_and_forked(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "chat", HI)
    until(stream(served.url, thread))

    got = command(served, thread, "state.get", namespace=[])["result"]
    none = command(served, thread, "state.get", namespace=[], keys=["other"])["result"]
    listed = command(served, thread, "state.listCheckpoints", limit=1)["result"]["checkpoints"]
    tree = command(served, thread, "agent.getTree")["result"]["tree"]
    newest = got["checkpoint"]["id"]
    forked = command(served, thread, "state.fork", checkpoint_id=newest, input=HI)["result"]
    until(stream(served.url, thread))

    assert [each["content"] for each in got["values"]["messages"]] == ["hi", "Hello you"]
    assert none["values"] == {}
    assert [each["id"] for each in listed] == [newest]
    assert tree == {"namespace": [], "status": "completed", "graph_name": "chat"}
    assert forked["thread_id"] == thread
    values = command(served, thread, "state.get", namespace=[])["result"]["values"]
    assert [each["content"] for each in values["messages"]] == ["hi", "Hello you"] * 2


def test_a_run_is_cancelled(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "paced", {"numbers": 600, "pause": 0.02})
    events = stream(served.url, thread, ["custom", "lifecycle"])
    until(events, lambda each: each["method"] == "custom")

    done = command(served, thread, "run.cancel")
    found = until(events)
    again = command(served, thread, "run.cancel")

    assert done["type"] == "success"
    assert shown(found, "lifecycle")[-1]["event"] == "interrupted"
    assert again["error"] == "no_such_run"


def test_a_run_is_begun_as_javascripts_client_says_it(served: Served) -> None:
    thread = served.thread()
    start(served, thread, "paced", {"numbers": 600, "pause": 0.02})
    params = {"assistant_id": "doubled", "input": 1, "multitaskStrategy": "reject"}

    refused = command(served, thread, "run.start", **params)
    command(served, thread, "run.cancel")

    assert refused["error"] == "invalid_argument"
    assert "busy" in refused["message"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("run.dance", {}, "unknown_command"),
        ("input.inject", {"namespace": [], "message": {}}, "not_supported"),
        ("run.start", {"assistant_id": "nobody", "input": 1}, "invalid_argument"),
        ("run.start", {"input": 1}, "invalid_argument"),
        (
            "run.start",
            {"assistant_id": "doubled", "config": {"configurable": "x"}},
            "invalid_argument",
        ),
        ("run.start", {"assistant_id": "doubled", "config": ["x"]}, "invalid_argument"),
        ("state.fork", {"checkpoint_id": "1", "config": {"configurable": [1]}}, "invalid_argument"),
        ("input.respond", {"namespace": [], "response": 1}, "invalid_argument"),
        ("state.fork", {"checkpoint_id": "77", "input": 1}, "no_such_checkpoint"),
        ("run.cancel", {"run_id": "no-such-run"}, "no_such_run"),
    ],
)
def test_what_cannot_be_done_is_refused(
    served: Served, method: str, params: dict[str, Any], code: str
) -> None:
    thread = served.thread()
    start(served, thread, "doubled", 1)
    until(stream(served.url, thread))

    found = command(served, thread, method, **params)

    assert (found["type"], found["id"], found["error"]) == ("error", 7, code)
    assert found["message"]


@pytest.mark.parametrize(
    "body", [{}, {"channels": []}, {"channels": ["colours"]}, {"channels": ["values"], "since": -1}]
)
def test_a_stream_of_nothing_is_422(served: Served, body: Any) -> None:
    found = served.http.post(f"/threads/{served.thread()}/stream/events", json=body)

    assert found.status_code == 422


def test_a_command_without_a_method_is_422(served: Served) -> None:
    found = served.http.post(f"/threads/{served.thread()}/commands", json={"id": 1})

    assert found.status_code == 422
