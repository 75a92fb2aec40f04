"""Streams of runs as LangGraph's own client follows them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.gateway.compatible.served import Served, of_mode

MODES = ["values", "updates", "custom", "messages-tuple", "messages", "tasks"]
MORE = ["checkpoints", "debug", "retry", "facts"]


def wire(served: Served, path: str, headers: dict[str, str] | None = None, **query: Any) -> str:
    """Read the bytes of a stream that is over."""
    found = served.http.get(path, headers=headers, params=query)
    assert found.status_code == 200, found.text
    return found.text


def frames(text: str) -> list[str]:
    """Return the frames of a stream, without comments."""
    return [each for each in text.split("\r\n\r\n") if each and not each.startswith(":")]


def id_of(frame: str) -> str:
    found = re.search(r"^id: (\S+)$", frame, re.MULTILINE)
    return found[1] if found else ""


def test_the_wire_byte_by_byte(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "doubled", input=2, stream_mode=["custom", "values"])
    run_id = run["run_id"]
    served.sdk.runs.join(thread, run_id)

    found = served.http.get(f"/threads/{thread}/runs/{run_id}/stream")

    (last,) = re.findall(r"^id: (6-\d+)", found.text, re.MULTILINE)
    assert found.text == (
        f'event: metadata\r\ndata: {{"run_id":"{run_id}","attempt":1}}\r\nid: 0-0\r\n\r\n'
        'event: custom\r\ndata: {"doubling":2}\r\nid: 4-0\r\n\r\n'
        f'event: values\r\ndata: {{"result":4}}\r\nid: {last}\r\n\r\n'
        f'event: end\r\ndata: {{"run_id":"{run_id}","status":"success"}}\r\n\r\n'
    )
    assert found.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-accel-buffering"] == "no"
    assert found.headers["location"] == f"/threads/{thread}/runs/{run_id}/stream"
    assert found.headers["content-location"] == f"/threads/{thread}/runs/{run_id}"


def test_a_run_without_a_thread_is_named_and_joined_without_one(served: Served) -> None:
    body = {"assistant_id": "doubled", "input": 1}
    found = served.http.post("/runs/stream", json=body)
    place = found.headers["content-location"]

    assert re.fullmatch(r"/runs/[0-9a-f-]{36}", place)
    assert found.headers["location"] == f"{place}/stream"
    assert served.http.get(f"{place}/stream").text == found.text
    assert served.http.get(f"{place}/join").json() == {"result": 2}


@pytest.mark.parametrize(
    ("flow", "input"),
    [
        ("doubled", 2),
        ("chat", {"messages": [{"role": "user", "content": "hi", "id": "u1"}]}),
        ("talking", {"messages": [{"type": "human", "content": "hi", "id": "u1"}]}),
        ("stammering", "of resumption"),
        ("approving", {"log": []}),
    ],
)
def test_w6_each_stream_is_kept_and_goes_on_behind_any_of_its_events(
    served: Served, flow: str, input: Any
) -> None:
    thread, modes = served.thread(), [*MODES, *MORE]
    run = served.create(thread, flow, input=input)
    served.sdk.runs.join(thread, run["run_id"])
    path = f"/threads/{thread}/runs/{run['run_id']}/stream"
    whole = frames(wire(served, path, stream_mode=modes, stream_subgraphs=True))

    ids = [id_of(each) for each in whole[:-1]]
    assert len(set(ids)) == len(ids) > 5
    for at, each in enumerate(ids):
        headers = {"Last-Event-ID": each}
        rest = frames(wire(served, path, headers, stream_mode=modes, stream_subgraphs=True))
        assert rest == whole[at + 1 :]


def test_one_id_is_one_place_whatever_modes_are_asked_for(served: Served) -> None:
    thread = served.thread()
    hello = {"messages": [{"role": "user", "content": "hi", "id": "u1"}]}
    run = served.create(thread, "chat", input=hello)
    served.sdk.runs.join(thread, run["run_id"])
    path = f"/threads/{thread}/runs/{run['run_id']}/stream"
    whole = frames(wire(served, path, stream_mode=[*MODES, *MORE]))

    for mode in [*MODES, *MORE]:
        alone = frames(wire(served, path, stream_mode=mode))
        assert [each for each in alone if each not in whole] == []


@pytest.mark.parametrize("last", ["-1", ""])
def test_without_a_cursor_a_stream_begins_at_the_begin(served: Served, last: str) -> None:
    thread = served.thread()
    run = served.create(thread, "doubled", input=2)
    served.sdk.runs.join(thread, run["run_id"])
    path = f"/threads/{thread}/runs/{run['run_id']}/stream"

    assert frames(wire(served, path, {"Last-Event-ID": last})) == frames(wire(served, path))


def test_a_cursor_of_another_form_is_422(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "doubled", input=2)
    path = f"/threads/{thread}/runs/{run['run_id']}/stream"

    for last in ("17", "a-b", "1-2-3", "²-1"):
        headers = {b"Last-Event-ID": last.encode()}
        assert served.http.get(path, headers=headers).status_code == 422


def test_a_failed_run_ends_its_stream_with_an_error(served: Served) -> None:
    parts = served.stream(served.thread(), "broken", input=1, stream_mode="updates")

    assert [part.event for part in parts] == ["metadata", "updates", "error"]
    assert parts[-1].data == {"error": "ValueError", "message": "boom"}


def test_w10_void_words_are_taken_back(served: Served) -> None:
    parts = served.stream(
        served.thread(), "stammering", input="w10", stream_mode=["messages-tuple", "messages"]
    )

    told = [(data[0]["type"], data[0]["content"]) for data in of_mode(parts, "messages")]
    assert told[:2] == [("AIMessageChunk", "half "), ("remove", "")]
    assert told[2:4] == [("AIMessageChunk", "half "), ("AIMessageChunk", "a sentence")]
    assert {data[0]["id"] for data in of_mode(parts, "messages")} == {"m-w10"}
    partial = [data[0]["content"] for data in of_mode(parts, "messages/partial")]
    assert partial == ["half ", "half ", "half a sentence"]


def test_w8_values_are_as_saved_and_messages_are_as_clients_know_them(served: Served) -> None:
    hello = {"messages": [{"role": "user", "content": "hi", "id": "u1"}]}
    modes = ["values", "messages-tuple"]
    parts = served.stream(served.thread(), "chat", input=hello, stream_mode=modes)

    (values,) = of_mode(parts, "values")
    assert [each["role"] for each in values["messages"]] == ["user", "assistant"]
    chunk, metadata = of_mode(parts, "messages")[0]
    assert chunk == {
        "content": "Hello",
        "type": "AIMessageChunk",
        "id": "ai-1",
        "name": None,
        "additional_kwargs": {},
        "response_metadata": {},
        "tool_calls": [],
        "tool_call_chunks": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
    }
    assert metadata["langgraph_node"] == metadata["graph_id"] == "chat"
    assert metadata["run_id"] == parts[0].data["run_id"]


def test_a_graph_streams_its_messages_and_updates(served: Served) -> None:
    hello = {"messages": [{"type": "human", "content": "hi", "id": "u1"}]}
    modes = ["messages-tuple", "messages", "updates"]
    parts = served.stream(served.thread(), "talking", input=hello, stream_mode=modes)

    words = [data[0]["content"] for data in of_mode(parts, "messages")]
    assert "".join(words) == "one two three"
    assert of_mode(parts, "messages/partial")[-1][0]["content"] == "one two three"
    (update,) = of_mode(parts, "updates")
    assert update["talk"]["messages"][0]["content"] == "one two three"
    assert len(of_mode(parts, "messages/metadata")) == 1


def test_tasks_have_the_body_by_the_id_that_states_know_it_by(served: Served) -> None:
    parts = served.stream(served.thread(), "broken", input=1, stream_mode="tasks")

    begun, *_, ended = of_mode(parts, "tasks")
    assert begun["id"] == ended["id"] != ""
    assert ended["error"] == "ValueError('boom')"


def test_a_silent_stream_has_heartbeats(served: Served) -> None:
    body = {"assistant_id": "paced", "input": {"numbers": 2, "pause": 1.3}}

    streamed = served.http.post("/runs/stream", json=body)
    waited = served.http.post("/runs/wait", json=body)

    assert ": heartbeat\r\n\r\n" in streamed.text
    assert waited.text.startswith("\n")
    assert waited.json() == 2


def test_a_stream_may_be_joined_in_other_modes(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "counting", input=3, stream_mode="values")
    run_id = run["run_id"]

    parts = list(served.sdk.runs.join_stream(thread, run_id, stream_mode=["custom"]))

    assert of_mode(parts, "custom") == [0, 1, 2]
    assert of_mode(parts, "values") == []


def test_a_list_may_be_one_text_of_json_or_empty_as_older_clients_send_it(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "doubled", input=1, stream_mode=["custom", "values"])
    served.sdk.runs.join(thread, run["run_id"])
    path = f"/threads/{thread}/runs/{run['run_id']}/stream"

    assert wire(served, path, stream_mode="") == wire(served, path)
    as_json = wire(served, path, stream_mode='["custom","updates"]')
    assert as_json == wire(served, path, stream_mode=["custom", "updates"])
    for wrong in ("[", "[5]", '["colour"]'):
        assert served.http.get(path, params={"stream_mode": wrong}).status_code == 422
    runs = served.http.get(f"/threads/{thread}/runs", params={"select": '["run_id"]'}).json()
    assert runs == [{"run_id": run["run_id"]}]
    for include in ("ttl", '["ttl"]', "ttl,other"):
        found = served.http.get(f"/threads/{thread}", params={"include": include}).json()
        assert found["ttl"] is None
