"""What is done with one run from its page."""

from __future__ import annotations

import pytest

from penstock.gateway.auth.role import Role
from tests.gateway.dashboard.pages import Pages


def question_of(pages: Pages, run_id: str) -> str:
    """Return the id of the one question of a run."""
    (question,) = pages.worker.client.do(pages.worker.client.plans.interrupts(run_id))
    return question.id


def test_a_question_is_answered_by_a_form_of_its_schema(pages: Pages) -> None:
    run_id = pages.run("ordering", "what?")
    form = {
        "question": question_of(pages, run_id),
        "answer.name": "bolts",
        "answer.count": "3",
        "answer.size": '"large"',
        "answer.note": "",
    }

    sent = pages.send(f"/runs/{run_id}/answer", form)
    pages.worker.work()

    assert sent.url.path == f"/dashboard/runs/{run_id}"
    assert pages.worker.client.get(run_id).result(1) == "3 large bolts None"


@pytest.mark.parametrize(("given", "answer"), [("true", True), ("false", False)])
def test_a_question_for_yes_or_no_is_answered(pages: Pages, given: str, answer: bool) -> None:
    run_id = pages.run("asking", "may I?")

    pages.send(f"/runs/{run_id}/answer", {"question": question_of(pages, run_id), "answer": given})
    pages.worker.work()

    assert pages.worker.client.get(run_id).result(1) is answer


def test_a_question_without_a_schema_is_answered_with_json(pages: Pages) -> None:
    run_id = pages.run("anything", "well?")
    asked = question_of(pages, run_id)

    refused = pages.send(f"/runs/{run_id}/answer", {"question": asked, "answer": "{no"}, 422)
    pages.send(f"/runs/{run_id}/answer", {"question": asked, "answer": '{"a": [1]}'})
    pages.worker.work()

    assert "is not JSON" in refused.text
    assert ">{no</textarea>" in refused.text  # what was written is still there
    assert pages.worker.client.get(run_id).result(1) == {"a": [1]}


def test_an_answer_that_does_not_fit_is_refused_and_the_run_waits_on(pages: Pages) -> None:
    run_id = pages.run("ordering", "what?")
    form = {"answer.name": "bolts", "answer.count": "3", "answer.size": '"huge"'}

    sent = pages.send(
        f"/runs/{run_id}/answer", {"question": question_of(pages, run_id), **form}, 422
    )

    assert "the run waits on" in sent.text
    assert ">bolts</textarea>" in sent.text
    assert pages.status(run_id) == "suspended"


def test_a_question_that_is_answered_is_not_answered_again(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?")
    form = {"question": question_of(pages, run_id), "answer": "true"}
    pages.send(f"/runs/{run_id}/answer", form)
    pages.worker.work()

    again = pages.send(f"/runs/{run_id}/answer", form, 409)

    assert "this question is not open" in again.text


def test_a_run_is_cancelled(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?")

    pages.send(f"/runs/{run_id}/cancel")

    assert pages.status(run_id) == "cancelled"


def test_a_failed_run_is_resumed(pages: Pages) -> None:
    run_id = pages.run("broken", "bad luck")

    sent = pages.send(f"/runs/{run_id}/resume")

    assert sent.url.path == f"/dashboard/runs/{run_id}"
    assert pages.status(run_id) == "queued"


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_only_an_admin_executes_again_what_changes_many_runs(closed: Pages) -> None:
    run_id = closed.worker.client.start_bulk("delete", entrypoint="doubled").run_id

    closed.log_in(Role.OPERATOR)
    page = closed.open(f"/runs/{run_id}")
    for action in ("resume", "rerun", "fork"):
        closed.send(f"/runs/{run_id}/{action}", status=403)
    closed.log_in(Role.ADMIN)
    sent = closed.send(f"/runs/{run_id}/rerun")

    assert "rerun: you are an operator: this needs the role admin" in page
    assert sent.url.path != f"/dashboard/runs/{run_id}"


def test_a_run_is_done_again_and_the_new_one_is_shown(pages: Pages) -> None:
    run_id = pages.run("doubled", 4)

    sent = pages.send(f"/runs/{run_id}/rerun")
    pages.worker.work()
    made = sent.url.path.rpartition("/")[2]

    assert made != run_id
    assert pages.worker.client.get(made).info().rerun_of == run_id
    assert pages.worker.client.get(made).result(1) == 8


def test_a_run_is_done_again_with_an_input_that_was_changed(pages: Pages) -> None:
    pages.join("w", "default")
    order = {"name": "bolts", "count": 3, "size": "large"}
    run_id = pages.run("placing", order, tags={"team": "blue"})

    page = pages.open(f"/runs/{run_id}", again="1")
    form = {"edited": "fields", "input.name": "nuts", "input.count": "4", "input.size": '"small"'}
    refused = pages.send(f"/runs/{run_id}/rerun", {**form, "input.count": "x"}, 422)
    sent = pages.send(f"/runs/{run_id}/rerun", form)
    pages.worker.work()
    made = pages.worker.client.get(sent.url.path.rpartition("/")[2])

    assert 'name="edited" value="fields"' in page
    assert 'value="3"' in page
    assert ">nuts</textarea>" in refused.text
    assert "is not a value of type integer" in refused.text.partition('id="again"')[2]
    assert made.result(1) == "4 small nuts None"
    assert (made.info().rerun_of, made.info().tags) == (run_id, {"team": "blue"})


def test_an_input_that_does_not_fit_its_schema_is_changed_as_json(pages: Pages) -> None:
    pages.join("w", "default")
    run_id = pages.run("placing", {"name": "bolts", "colour": "red"})

    page = pages.open(f"/runs/{run_id}", again="1")
    text = '{"name": "nuts", "count": 4, "size": "small"}'
    sent = pages.send(f"/runs/{run_id}/rerun", {"edited": "json", "input": text})
    pages.worker.work()

    assert 'name="edited" value="json"' in page
    assert '>{"name": "bolts", "colour": "red"}</textarea>' in page
    made = pages.worker.client.get(sent.url.path.rpartition("/")[2])
    assert made.result(1) == "4 small nuts None"


def test_a_run_is_forked_from_a_step(pages: Pages) -> None:
    run_id = pages.run("many", 3)

    sent = pages.send(f"/runs/{run_id}/fork", {"after_step": "double:1"})
    pages.worker.work()
    made = sent.url.path.rpartition("/")[2]

    assert made != run_id
    assert pages.worker.client.get(made).result(1) == 6
    refused = pages.send(f"/runs/{run_id}/fork", {"after_step": "nothing:0"}, 422)
    assert "nothing:0" in refused.text
