"""What can be started, and starting it."""

from __future__ import annotations

import json
import re

import pytest

from penstock.gateway.auth.role import Role
from penstock.runtime.types.bulk import BULK
from tests.gateway.dashboard.pages import Pages

ORDER = {"input.name": "bolts", "input.count": "3", "input.size": '"large"', "input.note": ""}


def test_entrypoints_are_listed_with_their_workers_and_open_runs(pages: Pages) -> None:
    pages.join("w1", "default", version="2.1")
    pages.join("w2", "default", version="2.2")
    pages.run("asking", "may I?")

    page = pages.open("/entrypoints")

    row = page.partition('href="/dashboard/entrypoints/placing"')[2].partition("</tr>")[0]
    assert "Place an order." in row
    assert "2.1, 2.2" in row
    assert '<td class="number">2 ' in row
    asking = page.partition('href="/dashboard/entrypoints/asking"')[2].partition("</tr>")[0]
    assert "status=suspended&entrypoint=asking" in asking
    assert BULK not in page


def test_without_workers_the_list_says_how_to_start_one(pages: Pages) -> None:
    pages.worker.connection.flushall()

    assert "penstock worker flows.py" in pages.open("/entrypoints")


def test_a_run_is_started_by_a_form_of_the_schema_of_its_input(pages: Pages) -> None:
    pages.join("w", "default")
    page = pages.open("/entrypoints/placing")
    (run_id,) = re.findall(r'name="run" value="(\w+)"', page)

    sent = [
        pages.send(
            "/entrypoints/placing/start",
            {**ORDER, "run": run_id, "thread": "ann", "queue": "", "tag": "team=blue"},
        )
        for _ in range(2)  # as after a second click
    ]
    pages.worker.work()

    assert all(f'name="{each}"' in page for each in ORDER)
    assert {each.url.path for each in sent} == {f"/dashboard/runs/{run_id}"}
    run = pages.worker.client.get(run_id)
    assert run.result(1) == "3 large bolts None"
    assert (run.thread_id, run.info().tags) == ("ann", {"team": "blue"})
    assert f'href="/dashboard/runs/{run_id}"' in pages.open("/entrypoints/placing")


def test_what_is_wrong_with_an_input_is_said_at_its_field(pages: Pages) -> None:
    pages.join("w", "default")

    unread = pages.send("/entrypoints/placing/start", {**ORDER, "input.count": "many"}, 422)
    unfit = pages.send("/entrypoints/placing/start", {**ORDER, "input.size": '"huge"'}, 422)

    field = unread.text.partition('name="input.count"')[2].partition("</div>")[0]
    assert "is not a value of type integer" in field
    assert 'aria-invalid="true"' in field
    assert ">bolts</textarea>" in unread.text  # what was written is still there
    assert "Size: Input should be" in unfit.text
    assert pages.worker.client.count() == 0


def test_an_input_without_a_schema_is_json(pages: Pages) -> None:
    pages.join("w", "default")
    pages.worker.connection.delete("penstock:entrypoint:doubled")
    sent = pages.send("/entrypoints/doubled/start", {"input": "21"})
    pages.worker.work()

    assert pages.worker.client.get(sent.url.path.rpartition("/")[2]).result(1) == 42
    refused = pages.send("/entrypoints/doubled/start", {"input": "{"}, 422)
    assert "is not JSON" in refused.text


def test_a_graph_is_given_any_part_of_its_state(pages: Pages) -> None:
    state = {"messages": {"type": "array", "items": {"type": "object"}}, "n": {"type": "integer"}}
    schema = {"type": "object", "properties": state, "required": ["messages", "n"]}
    description = {"since": 0, "is_graph": True, "schemas": {"input": schema}}
    pages.worker.connection.set("penstock:entrypoint:saying", json.dumps(description))

    page = pages.open("/entrypoints/saying")
    form = {"input.messages": '[["human", "hi"]]', "input.n": ""}
    sent = pages.send("/entrypoints/saying/start", form)
    pages.worker.work()

    run = pages.worker.client.get(sent.url.path.rpartition("/")[2])
    assert run.result(1) == {"messages": [["human", "hi"]]}
    assert " required" not in page.partition('name="input.messages"')[2].partition("</form>")[0]


def test_what_else_is_wrong_is_said_on_the_page(pages: Pages) -> None:
    pages.join("w", "default")

    for form, what in (({"tag": "blue"}, "KEY=VALUE"), ({"queue": "a b"}, "queue")):
        refused = pages.send("/entrypoints/placing/start", {**ORDER, **form}, 422)
        assert what in refused.text.partition('role="alert"')[2].partition("</p>")[0]


def test_a_queue_that_the_workers_serve_is_proposed(pages: Pages) -> None:
    pages.join("w", "gpu")

    assert 'name="queue" value="gpu"' in pages.open("/entrypoints/placing")


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_only_clients_start_runs_and_nobody_one_that_changes_many(closed: Pages) -> None:
    closed.join("w", "default")
    closed.log_in(Role.VIEWER)
    page = closed.open("/entrypoints/placing")
    closed.send("/entrypoints/placing/start", ORDER, 403)
    closed.log_in(Role.ADMIN)
    closed.worker.client.start_bulk("cancel", all=True)
    refused = closed.send(f"/entrypoints/{BULK}/start", {"input": "{}"}, 403)

    assert "you are a viewer: this needs the role client" in page
    assert "POST /api/bulk" in refused.text
    assert closed.worker.client.count() == 1


def test_an_entrypoint_that_nobody_knows_is_not_found(pages: Pages) -> None:
    assert "no worker has announced an entrypoint 'nothing'" in pages.open(
        "/entrypoints/nothing", 404
    )
