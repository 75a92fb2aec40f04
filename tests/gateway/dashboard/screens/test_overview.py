"""The first page."""

from __future__ import annotations

from tests.gateway.dashboard.pages import Pages


def test_it_counts_runs_and_names_what_needs_somebody(pages: Pages) -> None:
    pages.run("doubled", 1)
    pages.run("broken", "bad luck")
    asks = pages.run("asking", "may I?")
    stuck = pages.worker.client.enqueue("doubled", 1, queue="elsewhere").run_id

    page = pages.open("/")

    for status in ("queued", "suspended", "completed", "failed"):
        assert f'href="/dashboard/runs?status={status}"><b>1</b>' in page
    assert "<b>0</b>" in page
    assert "may I?" in page
    assert f"/dashboard/runs/{asks}" in page
    assert "ValueError: bad luck" in page
    assert f"/dashboard/runs/{stuck}" in page.partition("Stuck runs")[2]
    assert "penstock worker flows.py -q elsewhere" in page


def test_an_empty_redis_is_no_error(pages: Pages) -> None:
    page = pages.open("/")

    assert "Nobody is asked anything" in page
    assert "No run has failed" in page
    assert "Stuck runs" not in page


def test_the_path_without_its_slash_leads_there(pages: Pages) -> None:
    assert pages.ask("GET", "/dashboard").url.path == "/dashboard/"
