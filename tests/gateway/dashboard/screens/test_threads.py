"""The page of a thread."""

from __future__ import annotations

from tests.gateway.dashboard.pages import Pages

SCRIPT = "<script>alert(1)</script>"


def test_a_thread_shows_its_state_its_history_and_its_runs(pages: Pages) -> None:
    runs = [pages.run("counting", x, thread_id="a/sum") for x in (1, 20, 300)]

    page = pages.open("/threads/a/sum")

    assert '<pre class="value" tabindex="0">321</pre>' in page
    assert all(f'href="/dashboard/runs/{each}"' in page for each in runs)
    history = page.partition("History")[2]
    assert [history.find(f">{each}</pre>") for each in (321, 21, 1)] == sorted(
        history.find(f">{each}</pre>") for each in (321, 21, 1)
    )
    assert "Nothing is under way" in page


def test_a_thread_says_that_it_waits(pages: Pages) -> None:
    run_id = pages.run("asking", "may I?", thread_id="ann")

    page = pages.open("/threads/ann")

    assert "Waits for</strong> an answer" in page
    assert f"/dashboard/runs/{run_id}" in page


def test_a_long_history_has_pages(pages: Pages) -> None:
    for x in range(12):
        pages.run("counting", x, thread_id="sum")

    first = pages.open("/threads/sum")
    before = first.partition('rel="next" href="/dashboard/threads/sum?before=')[2].partition('"')[0]
    second = pages.open("/threads/sum", before=before)

    assert first.count(' id="checkpoint-') == 20
    assert second.count(' id="checkpoint-') == 4
    assert 'rel="next"' not in second


def test_a_thread_that_is_not_there_is_said_to_be_none(pages: Pages) -> None:
    assert "there is no thread 'nobody'" in pages.open("/threads/nobody", 404)
