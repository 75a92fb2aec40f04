"""Runs that LangGraph's client begins together."""

from __future__ import annotations

import pytest
from langgraph_sdk.errors import UnprocessableEntityError

from tests.gateway.compatible.served import Served


def test_runs_are_begun_together_in_their_order(served: Served) -> None:
    thread = str(served.sdk.threads.create()["thread_id"])
    payloads = [{"assistant_id": "doubled", "input": number} for number in range(3)]
    payloads += [{**payload, "thread_id": thread} for payload in payloads]

    runs = served.sdk.runs.create_batch(payloads)

    assert [run["kwargs"]["input"] for run in runs] == [0, 1, 2, 0, 1, 2]
    assert len({run["thread_id"] for run in runs}) == 4
    for run in runs:
        served.sdk.runs.join(run["thread_id"], run["run_id"])
    listed = served.sdk.runs.list(thread)
    assert [run["run_id"] for run in listed] == [run["run_id"] for run in reversed(runs[3:])]


def test_none_is_begun_where_one_cannot_be(served: Served) -> None:
    thread = str(served.sdk.threads.create()["thread_id"])
    good = {"assistant_id": "doubled", "input": 1, "thread_id": thread}

    for wrong in ({**good, "assistant_id": "nonsense"}, {**good, "multitask_strategy": "no"}):
        with pytest.raises(UnprocessableEntityError):
            served.sdk.runs.create_batch([good, wrong])

    assert served.sdk.runs.list(thread) == []
    assert served.http.post("/runs/batch", json={"assistant_id": "doubled"}).status_code == 422
    assert served.sdk.runs.create_batch([]) == []
