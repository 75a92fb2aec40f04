"""Questions of runs, answered by LangGraph's own client, to which each answer is a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langgraph_sdk.errors import ConflictError, UnprocessableEntityError

from tests.gateway.compatible.served import Served, of_mode

ALL = ["values", "updates", "custom"]


def question_of(values: Any) -> dict[str, Any]:
    (asked,) = values["__interrupt__"]
    return dict(asked)


@pytest.mark.parametrize(("flow", "input"), [("asking", 1), ("approving", {"log": []})])
def test_w1_an_answer_is_another_run_and_its_words_are_in_no_other(
    served: Served, flow: str, input: Any
) -> None:
    thread = served.thread()
    asked = served.stream(thread, flow, input=input, stream_mode=ALL)
    answered = served.stream(thread, flow, command={"resume": True}, stream_mode=ALL)

    second, first = served.sdk.runs.list(thread)
    again = list(served.sdk.runs.join_stream(thread, first["run_id"], stream_mode=ALL))
    more = list(served.sdk.runs.join_stream(thread, second["run_id"], stream_mode=ALL))

    assert (first["status"], second["status"]) == ("success", "success")
    assert [again, more] == [asked, answered]
    assert asked[0].data["run_id"] == first["run_id"]
    assert answered[0].data["run_id"] == second["run_id"] != first["run_id"]
    assert "__interrupt__" in of_mode(asked, "values")[-1]
    assert of_mode(asked, "end") == [{"run_id": first["run_id"], "status": "success"}]
    assert "__interrupt__" in served.sdk.runs.join(thread, first["run_id"])
    assert "__interrupt__" not in served.sdk.runs.join(thread, second["run_id"])


def test_w1_a_run_that_plain_clients_enqueued_and_answered_has_legs_too(served: Served) -> None:
    thread = served.thread()
    run = served.client.enqueue("asking", 1, thread_id=thread)
    assert question_of(served.sdk.runs.join(thread, run.run_id))["value"] == {"approve": 1}
    run.resume(True)
    assert run.result(10.0) == {"answer": True}

    second, first = served.sdk.runs.list(thread)

    assert first["run_id"] == run.run_id
    assert served.sdk.runs.join(thread, second["run_id"]) == {"answer": True}


def test_w2_of_50_answers_at_once_one_wins(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "asking", input=1)
    body = {"assistant_id": "asking", "command": {"resume": True}}

    def answer(_: int) -> int:
        return served.http.post(f"/threads/{thread}/runs", json=body).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = sorted(pool.map(answer, range(50)))

    assert codes == [200] + [409] * 49
    assert len(served.sdk.runs.list(thread, limit=100)) == 2


def test_w2_an_answer_to_nothing_is_409(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "doubled", input=1)

    for _ in range(2):
        with pytest.raises(ConflictError):
            served.create(thread, "doubled", command={"resume": 1})
    with pytest.raises(ConflictError):
        served.create(served.thread(), "doubled", command={"resume": 1})


def test_w2_answers_are_as_strict_as_clients_may_want_them(served: Served) -> None:
    thread = served.thread()
    (asked,) = served.wait(thread, "asking", input=1)["__interrupt__"]
    strict: Any = {"strict_resume": True, "command": {"resume": {asked["id"]: True}}}

    answered = served.wait(thread, "asking", **strict)
    with pytest.raises(ConflictError):
        served.create(thread, "asking", **strict)

    assert answered == {"answer": True}
    assert served.http.get("/info").json()["flags"]["strict_resume"]


def test_w2_an_answer_to_a_question_that_is_not_open_names_the_open_ones(served: Served) -> None:
    thread = served.thread()
    asked = question_of(served.wait(thread, "asking", input=1))

    with pytest.raises(ConflictError) as refused:
        served.create(thread, "asking", command={"resume": {"0" * 32: True}})

    assert asked["id"] in refused.value.response.text


def test_an_answer_that_does_not_fit_is_422_and_the_run_waits_on(served: Served) -> None:
    thread = served.thread()
    asked = served.wait(thread, "asking", input=1)

    with pytest.raises(UnprocessableEntityError):
        served.create(thread, "asking", command={"resume": {"not": "a bool"}})

    assert served.wait(thread, "asking", input=None) == asked
    assert served.wait(thread, "asking", command={"resume": False}) == {"answer": False}


def test_questions_are_answered_one_by_one_by_their_ids(served: Served) -> None:
    thread = served.thread()
    asked = served.wait(thread, "asking_twice", input=1)["__interrupt__"]
    a, b = sorted(asked, key=lambda each: each["value"])

    left = served.wait(thread, "asking_twice", command={"resume": {a["id"]: "A"}})
    values = served.wait(thread, "asking_twice", command={"resume": {b["id"]: "B"}})

    assert question_of(left)["id"] == b["id"]
    assert values == ["A", "B"]
    assert [run["status"] for run in served.sdk.runs.list(thread)] == ["success"] * 3


def test_new_input_closes_what_waits(served: Served) -> None:
    thread = served.thread()
    served.wait(thread, "asking", input=1)

    assert served.wait(thread, "doubled", input=2) == {"result": 4}

    assert [run["status"] for run in served.sdk.runs.list(thread)] == ["success", "success"]


def test_w1_a_failed_run_goes_on_without_input(served: Served) -> None:
    thread, name = served.thread(), "of test_answers"
    failed = served.stream(thread, "mended", input=name, stream_mode=ALL)
    went_on = served.stream(thread, "mended", input=None, stream_mode=ALL)

    second, first = served.sdk.runs.list(thread)

    assert failed[-1].event == "error"
    assert failed[-1].data == {"error": "ValueError", "message": "boom"}
    assert of_mode(went_on, "values") == [name]
    assert (first["status"], second["status"]) == ("error", "success")
    joined = served.sdk.runs.join(thread, first["run_id"])
    assert joined["__error__"] == {"error": "ValueError", "message": "boom"}


def test_no_input_on_a_thread_that_is_over_gives_its_values(served: Served) -> None:
    thread = served.thread()
    values = served.wait(thread, "doubled", input=2)

    assert served.wait(thread, "doubled", input=None) == values
    assert len(served.sdk.runs.list(thread)) == 1


def test_no_input_passes_a_breakpoint(served: Served) -> None:
    thread = served.thread()
    stopped = served.wait(thread, "approving", input={"log": []}, interrupt_before=["first"])
    assert stopped == {"log": []}

    asked = served.wait(thread, "approving", input=None)

    assert question_of(asked)["value"] == {"question": "ok?"}


def test_a_cancelled_run_goes_on_without_input(served: Served) -> None:
    thread = served.thread()
    run = served.create(thread, "paced", input={"numbers": 600, "pause": 0.01})
    served.sdk.runs.cancel(thread, run["run_id"], wait=True)

    again = served.create(thread, "paced", input=None)

    assert again["run_id"] != run["run_id"]
    assert again["kwargs"]["input"] == {"numbers": 600, "pause": 0.01}
    served.sdk.runs.cancel(thread, again["run_id"], wait=True)
