"""URLs that LangGraph's client has told of the end of runs."""

from __future__ import annotations

import pytest
from langgraph_sdk.errors import UnprocessableEntityError

from tests.gateway.compatible.served import Served
from tests.support.receiver import Receiver


def test_a_url_is_told_once_when_a_run_is_over_after_all_its_legs(served: Served) -> None:
    thread = served.thread()
    with Receiver() as receiver:
        run = served.create(thread, "asking", input=1, webhook=receiver.url)
        served.sdk.runs.join(thread, run["run_id"])
        before = list(receiver.received)
        served.wait(thread, "asking", command={"resume": True})
        (told,) = receiver.wait_for(1)

    assert before == []
    assert told.json["type"] == "run.finished"
    assert told.json["data"]["run_id"] == run["run_id"]
    assert told.json["data"]["status"] == "completed"
    assert "webhook" not in run["kwargs"]


@pytest.mark.parametrize("url", ["http://10.0.0.1/in", "ftp://example.org/", "/relative"])
def test_a_url_that_workers_would_not_call_is_refused(served: Served, url: str) -> None:
    with pytest.raises(UnprocessableEntityError):
        served.create(None, "doubled", input=1, webhook=url)


def test_an_answer_has_no_webhook_of_its_own(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "asking", input=1)

    for asked in ({"command": {"resume": True}}, {"input": None}):
        with pytest.raises(UnprocessableEntityError, match="webhook"):
            served.create(thread, "asking", webhook="https://example.org/in", **asked)

    assert served.wait(thread, "asking", command={"resume": False}) == {"answer": False}
