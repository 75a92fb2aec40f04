"""The list of runs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from penstock.gateway.dashboard import run_query
from tests.gateway.dashboard.pages import Pages


def test_each_run_has_a_line_with_what_it_waits_for_or_why_it_failed(pages: Pages) -> None:
    done, failed, asks = pages.run("doubled", 2), pages.run("broken", "bad luck"), ""
    asks = pages.run("asking", "may I?")

    page = pages.open("/runs")

    assert all(f'href="/dashboard/runs/{each}"' in page for each in (done, failed, asks))
    assert "waits for an answer" in page
    assert "ValueError: bad luck" in page


def test_a_run_that_nobody_executes_has_its_fix_in_the_line(pages: Pages) -> None:
    pages.worker.client.enqueue("doubled", 1, queue="elsewhere")

    page = pages.open("/runs")

    assert "no worker listens there" in page
    assert "penstock worker flows.py -q elsewhere" in page


def test_filters_stand_in_the_address(pages: Pages) -> None:
    done, failed = pages.run("doubled", 2), pages.run("broken", "bad luck")

    by_status = pages.open("/runs", status="failed")
    by_name = pages.open("/runs", entrypoint="doubled", status="")

    assert failed in by_status
    assert done not in by_status
    assert done in by_name
    assert failed not in by_name
    assert 'href="/dashboard/runs?status=failed&entrypoint=doubled"' in by_name  # of a chip


def test_runs_are_found_by_a_tag_and_by_a_cause(pages: Pages) -> None:
    tagged = pages.run("doubled", 2, tags={"team": "blue"})
    failed = pages.run("broken", "bad luck")
    other = pages.run("doubled", 3)
    (group,) = pages.worker.client.failures()

    by_tag = pages.open("/runs", tag="team=blue")
    by_cause = pages.open("/runs", error=group.cause)

    assert tagged in by_tag
    assert other not in by_tag
    assert failed in by_cause
    assert other not in by_cause


def test_a_page_leads_to_the_next_one_by_a_cursor(pages: Pages) -> None:
    runs = [pages.worker.client.enqueue("doubled", x).run_id for x in range(60)]
    pages.worker.work()

    first = pages.open("/runs")
    found = re.search(r'rel="next" href="/dashboard(/runs\?after=[^"]+)"', first)
    assert found is not None
    second = pages.open(found[1])

    assert all((each in first) != (each in second) for each in runs)
    assert 'rel="next"' not in second
    assert "/changes" not in second.partition("<main")[0]  # an older page stays as it is


def test_the_id_of_a_run_leads_to_it(pages: Pages) -> None:
    run_id = pages.run("doubled", 2)

    found = pages.ask("GET", "/dashboard/runs", params={"q": f" {run_id} "})

    assert found.url.path == f"/dashboard/runs/{run_id}"


def test_runs_are_found_by_the_beginning_of_an_id_and_by_a_thread(pages: Pages) -> None:
    run_id, other = pages.run("doubled", 2), pages.run("counting", 1, thread_id="ann")

    assert run_id in pages.open("/runs", q=run_id[:10])
    assert other in pages.open("/runs", q="ann")
    assert "No run has the id" in pages.open("/runs", q="nothing")


def test_runs_are_slow_that_no_worker_has_brought_on_for_long(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, asks = pages.run("doubled", 2), pages.run("asking", "may I?")
    queued = pages.worker.client.enqueue("doubled", 1).run_id

    fresh = pages.open("/runs", status="slow")
    monkeypatch.setattr(run_query, "SLOW_AFTER", timedelta(0))
    page = pages.open("/runs", status="slow", entrypoint="doubled")

    assert queued not in fresh
    assert queued in page
    assert done not in page
    assert asks not in page
    assert 'href="/dashboard/runs?status=slow&entrypoint=doubled" aria-current="true"' in page
    assert 'name="status" value="slow"' in page


def test_an_empty_list_says_how_runs_come(pages: Pages) -> None:
    assert "No runs yet" in pages.open("/runs")
    assert "No runs that pass these filters" in pages.open("/runs", status="failed")


def test_a_filter_that_no_run_could_pass_is_refused(pages: Pages) -> None:
    assert "no run is 'lost'" in pages.open("/runs", 422, status="lost")
    assert "KEY=VALUE, not 'team'" in pages.open("/runs", 422, tag="team")
