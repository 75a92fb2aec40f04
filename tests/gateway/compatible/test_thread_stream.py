"""The stream of a thread as LangGraph's own client follows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError
from redis import Redis

from tests.gateway.compatible.served import Served


def is_done(part: Any) -> bool:
    return bool(part.event == "metadata" and part.data.get("status") == "run_done")


def followed(stream: Iterator[Any], runs: int) -> list[Any]:
    """Read a stream up to the end of so many runs."""
    parts: list[Any] = []
    while sum(map(is_done, parts)) < runs:
        parts.append(next(stream))
    return parts


def test_the_runs_of_a_thread_come_one_after_the_other(served: Served) -> None:
    thread = served.thread()
    first = served.stream(thread, "asking", input=1, stream_mode=["custom", "values"])
    answered = served.stream(thread, "asking", command={"resume": True}, stream_mode="custom")
    failed = served.stream(thread, "broken", input=1)

    parts = followed(served.sdk.threads.join_stream(thread, last_event_id="-1"), 3)

    shown = [(part.event, part.data) for part in parts if not is_done(part)]
    whole = [*first[:-1], *answered[:-1], *failed]
    assert shown == [(part.event, part.data) for part in whole]
    done = [part.data["run_id"] for part in parts if is_done(part)]
    assert done == [run["run_id"] for run in reversed(served.sdk.runs.list(thread))]
    assert len({part.id for part in parts if part.id}) == len(parts) - 1  # an error has none


def test_a_stream_goes_on_behind_any_of_its_events(served: Served) -> None:
    thread = served.thread()
    for number in (1, 2):
        served.stream(thread, "doubled", input=number, stream_mode=["custom", "values"])
    join = served.sdk.threads.join_stream
    whole = followed(join(thread, last_event_id="-1"), 2)

    for at, part in enumerate(whole[:-1]):
        rest = followed(join(thread, last_event_id=part.id), 2 - sum(map(is_done, whole[: at + 1])))
        assert rest == whole[at + 1 :]


def test_a_reader_is_told_of_the_run_at_work_and_of_those_that_come(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "doubled", input=1)
    work = {"numbers": 3, "pause": 0.1}
    at_work = served.create(thread, "paced", input=work, stream_mode="custom")
    stream = served.sdk.threads.join_stream(thread)

    now = followed(stream, 1)
    later = served.create(thread, "doubled", input=3, stream_mode="values")
    then = followed(stream, 1)

    assert [part.data for part in now if part.event == "custom"] == [0, 1, 2]
    assert now[0].data["run_id"] == at_work["run_id"]
    assert [part.data for part in then if part.event == "values"] == [{"result": 6}]
    assert then[0].data["run_id"] == later["run_id"]


def read_to(lines: Iterator[str], text: str) -> None:
    """Read lines to one that has a text, unless nothing but heartbeats comes."""
    silence = 0
    for line in lines:
        if text in line:
            return
        silence = silence + 1 if line.startswith(":") else 0 if line else silence
        assert silence < 10, f"{text} does not come"


@pytest.mark.parametrize("end", ["rollback", "delete", "expire"])
def test_a_reader_goes_on_behind_a_run_that_is_gone(served: Served, end: str) -> None:
    thread = served.thread()
    gone = served.create(thread, "paced", input={"numbers": 3, "pause": 0.2})
    with served.http.stream("GET", f"/threads/{thread}/stream") as response:
        lines = response.iter_lines()
        read_to(lines, gone["run_id"])

        if end == "rollback":
            served.sdk.runs.cancel(thread, gone["run_id"], wait=True, action="rollback")
        elif end == "delete":
            served.sdk.runs.delete(thread, gone["run_id"])
        else:  # its time is over while the reader is there
            read_to(lines, "run_done")
            with Redis.from_url(served.redis_url) as redis:
                assert redis.delete(f"penstock:run:{gone['run_id']}") == 1
        later = served.create(thread, "doubled", input=3)

        read_to(lines, later["run_id"])
        read_to(lines, "run_done")


def test_begins_and_ends_or_states_may_be_all_that_is_told(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "doubled", input=1)
    join = served.sdk.threads.join_stream

    lifecycle = followed(join(thread, last_event_id="-1", stream_mode="lifecycle"), 1)
    states = followed(join(thread, last_event_id="-1", stream_mode=["state_update"]), 1)

    assert [part.event for part in lifecycle] == ["metadata", "metadata"]
    assert [part.event for part in states] == ["metadata", "state_update", "metadata"]
    assert states[1].data["values"] == {"result": 2}


def test_a_graphs_thread_is_followed_too(served: Served) -> None:
    thread = served.thread()
    for log in (["a"], ["b"]):
        served.stream(thread, "approving", input={"log": log}, stream_mode="updates")

    parts = followed(served.sdk.threads.join_stream(thread, last_event_id="-1"), 2)

    names = [next(iter(part.data)) for part in parts if part.event == "updates"]
    assert names == ["first", "__interrupt__"] * 2


def test_what_cannot_be_followed_is_refused(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "doubled", input=1)
    join = served.sdk.threads.join_stream

    with pytest.raises(NotFoundError):
        next(join("nobody-knows-it"))
    for wrong in ({"last_event_id": "12"}, {"stream_mode": "colour"}):
        with pytest.raises(UnprocessableEntityError):
            next(join(thread, **wrong))
