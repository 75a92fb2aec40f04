"""The page of one run."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.actions import NEEDS
from penstock.gateway.dashboard.screens import run
from penstock.runtime.diagnostics.run_report import RunReport, read_report
from penstock.runtime.redis.plans.requests import Plan
from tests.gateway.dashboard.pages import OWN, Pages


def test_a_run_says_in_one_sentence_where_it_is(pages: Pages) -> None:
    done, failed = pages.run("doubled", 2), pages.run("broken", "bad luck")
    asks, waits = (
        pages.run("asking", "may I?"),
        pages.worker.client.enqueue("doubled", 1, queue="x"),
    )

    assert "It has completed after" in pages.open(f"/runs/{done}")
    assert "Failed:</strong> ValueError: bad luck" in pages.open(f"/runs/{failed}")
    assert "Waits for</strong> an answer." in pages.open(f"/runs/{asks}")
    page = pages.open(f"/runs/{waits.run_id}")
    assert "no worker listens there" in page
    assert "penstock worker flows.py -q x" in page


def test_a_page_hears_of_what_has_happened_since_it_was_read(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = pages.post("/api/runs", {"entrypoint": "doubled", "input": 2})["run_id"]

    def read(*given: Any, **options: Any) -> Plan[RunReport]:
        report = yield from read_report(*given, **options)
        with ThreadPoolExecutor(1) as pool:  # the run ends before the page is written
            pool.submit(pages.worker.work).result()
        return report

    monkeypatch.setattr(run, "read_report", read)
    page = pages.open(f"/runs/{run_id}")

    (cursor,) = re.findall(r"/events\?after=(\d+)", page)
    missed = pages.events(f"/api/runs/{run_id}/events", after=cursor)
    assert 'class="status queued"' in page
    assert missed[-1]["mode"] == "run.finished"


def test_the_timeline_has_a_row_for_each_step_and_one_for_many(pages: Pages) -> None:
    one, several = pages.run("doubled", 2), pages.run("many", 12)

    assert 'id="step-double:0"' in pages.open(f"/runs/{one}")
    page = pages.open(f"/runs/{several}")
    assert "\N{MULTIPLICATION SIGN} 12" in page
    assert 'id="step-double:1"' not in page


def test_values_show_input_steps_and_result(pages: Pages) -> None:
    run_id = pages.run("doubled", 21)

    page = pages.open(f"/runs/{run_id}", tab="values")

    assert '<pre class="value" tabindex="0">21</pre>' in page
    assert page.count('<pre class="value" tabindex="0">42</pre>') == 2


def test_values_show_where_an_error_came_from(pages: Pages) -> None:
    run_id = pages.run("broken", "bad luck")

    page = pages.open(f"/runs/{run_id}", tab="values")

    assert "flows.py" in page
    assert "raise ValueError(text)" in page
    assert "engine/execute.py" not in page


def test_a_long_value_is_cut_and_can_be_had_as_a_whole(pages: Pages) -> None:
    run_id = pages.run("saying", "x" * 70_000)

    page = pages.open(f"/runs/{run_id}", tab="values")
    whole = pages.ask("GET", f"/dashboard/runs/{run_id}/value", params={"name": "result"})

    assert "x" * 65_537 not in page
    assert f'href="/dashboard/runs/{run_id}/value?name=result"' in page
    assert whole.text == "x" * 70_000
    assert whole.headers["content-type"].startswith("text/plain")
    assert "no value" in pages.open(f"/runs/{run_id}/value", 404, name="other")


def test_an_opened_step_shows_its_arguments_its_outcome_and_its_words(pages: Pages) -> None:
    run_id = pages.run("stumbling", None)
    closed = pages.open(f"/runs/{run_id}")
    page = pages.open(f"/runs/{run_id}", step="stumble:0")

    row = page.partition('id="step-stumble:0"')[2].partition("</details>")[0]
    assert row.startswith(' data-step="stumble:0" open>')
    assert '<pre class="value" tabindex="0">[]</pre>' in row
    assert '<pre class="value" tabindex="0">2</pre>' in row
    assert ">try 1</s></li><li>try 2</li>" in row
    assert "failed after" in row
    assert "ConnectionError: not yet" in row
    assert "waited for its next try for" in row
    assert "Arguments, outcome and words" in closed
    assert "<pre" not in closed.partition('class="timeline"')[2]


def test_a_step_that_shares_a_row_has_its_own_when_it_is_asked_for(pages: Pages) -> None:
    run_id = pages.run("many", 12)

    page = pages.open(f"/runs/{run_id}", step="double:3")

    assert 'id="step-double:3"' in page
    assert "\N{MULTIPLICATION SIGN} 12" not in page
    assert f'href="/dashboard/runs/{run_id}?step=double%3A' in pages.source(f"/runs/{run_id}")


def test_a_fork_shows_which_steps_it_would_use_again(pages: Pages) -> None:
    run_id = pages.run("many", 3)

    page = pages.open(f"/runs/{run_id}", fork="double:1")

    assert "reuses 2 steps" in page
    assert page.count('class="step reused"') == 2
    assert 'name="after_step" value="double:1"' in page
    assert "reuses" not in pages.open(f"/runs/{run_id}", fork="nothing:0")


def test_facts_are_read_page_by_page(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.gateway.dashboard.facts_page.PAGE", 3)
    run_id = pages.run("saying", "well")
    last = pages.worker.client.do(pages.worker.client.plans.last_seq(run_id))

    first = pages.open(f"/runs/{run_id}", tab="facts")
    found = "".join(
        pages.open(f"/runs/{run_id}", tab="facts", after=after) for after in range(0, last, 3)
    )

    assert [f'id="fact-{seq}"' in first for seq in range(1, 5)] == [True, True, True, False]
    assert f'href="/dashboard/runs/{run_id}?tab=facts&after=3"' in first
    assert all(found.count(f'id="fact-{seq}"') == 1 for seq in range(1, last + 1))
    assert '<strong>custom</strong> <span class="id">echo:0</span>' in found
    assert "No event after 999" in pages.open(f"/runs/{run_id}", tab="facts", after="999")


def test_attempts_are_listed(pages: Pages) -> None:
    run_id = pages.run("doubled", 2)

    assert "Steps that were last tried in it" in pages.open(f"/runs/{run_id}", tab="attempts")


def test_the_stream_names_where_its_events_come_from(pages: Pages) -> None:
    run_id = pages.run("doubled", 2)

    page = pages.open(f"/runs/{run_id}", tab="stream")
    events = pages.ask("GET", f"/dashboard/runs/{run_id}/events")

    assert f'data-events="/dashboard/runs/{run_id}/events"' in page
    assert "event: run.finished" in events.text
    assert events.headers["content-type"].startswith("text/event-stream")


def test_a_reader_that_has_seen_the_end_is_not_to_come_back(pages: Pages) -> None:
    run_id = pages.run("doubled", 2)
    last = pages.worker.client.do(pages.worker.client.plans.last_seq(run_id))

    found = pages.ask(
        "GET", f"/dashboard/runs/{run_id}/events", headers={"Last-Event-ID": str(last)}
    )

    assert found.status_code == 204


def test_a_run_that_is_not_there_is_a_page_that_says_so(pages: Pages) -> None:
    assert "no run 'nothing'" in pages.open("/runs/nothing", 404)
    assert "there is no page /dashboard/nothing" in pages.open("/nothing", 404)


def test_what_cannot_be_done_now_is_off_with_the_reason(pages: Pages) -> None:
    run_id = pages.run("doubled", 2)

    page = pages.open(f"/runs/{run_id}")

    assert 'disabled title="it is completed">Cancel' in page
    assert 'disabled title="only a failed run can be resumed">Resume' in page
    assert 'title="">Run again' in page


def test_what_a_role_may_not_do_is_off_with_the_reason(closed: Pages) -> None:
    run_id = closed.run("asking", "may I?")

    for role in Role:
        closed.log_in(role)
        page = closed.open(f"/runs/{run_id}")
        form = page.partition('class="answer"')[2].partition("</form>")[0]
        assert (f"you are {role.article}: this needs the role client" in form) == (
            role is Role.VIEWER
        )
        assert (f"rerun: you are {role.article}" in page) == (not role.may(Role.OPERATOR))


@pytest.mark.parametrize("action", NEEDS)
def test_an_action_is_refused_to_those_who_may_not(closed: Pages, action: str) -> None:
    run_id = closed.run("asking", "may I?")

    for role in Role:
        closed.log_in(role)
        data = {"token": closed.token()}
        path = f"/dashboard/runs/{run_id}/{action}"
        sent = closed.ask("POST", path, data=data, headers=OWN)

        assert (sent.status_code == 403) == (not role.may(NEEDS[action]))
        if sent.status_code == 403:
            assert f"this needs the role {NEEDS[action]}" in sent.text
            assert closed.status(run_id) == "suspended"
