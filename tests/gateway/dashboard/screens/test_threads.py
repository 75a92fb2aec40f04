"""The page of a thread."""

from __future__ import annotations

import re

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.screens import threads
from tests.gateway.dashboard.pages import Pages

SCRIPT = "<script>alert(1)</script>"


def linked(page: str) -> list[str]:
    """Return the threads that a page leads to, in their order."""
    found = re.findall(r'<a class="id" href="/dashboard/threads/([^"]+)"', page)
    return list(dict.fromkeys(found))


def test_threads_are_listed_those_that_changed_last_first(pages: Pages) -> None:
    for name in ("a", "b/c", "d"):
        pages.record(name, {"owner": "ann"})
    run_id = pages.run("asking", "may I?", thread_id="a")
    pages.run("counting", 1, thread_id="without")

    page = pages.open("/threads")

    assert linked(page) == ["a", "d", "b/c", "without"]
    assert f'href="/dashboard/runs/{run_id}"' in page
    assert '{"owner": "ann"}' in page
    assert linked(pages.open("/threads", status="interrupted")) == ["a"]
    assert linked(pages.open("/threads", status="idle")) == ["d", "b/c"]
    assert "No thread is error" in pages.open("/threads", status="error")
    assert "no thread is 'lost'" in pages.open("/threads", 422, status="lost")


def test_an_empty_list_of_threads_says_how_they_come(pages: Pages) -> None:
    assert "No threads yet" in pages.open("/threads")


def test_the_list_of_threads_has_pages(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "LISTED", 3)
    names = [f"t{number}" for number in range(8)]
    for name in names:
        pages.record(name)

    found, path = list[str](), "/threads?status=idle"
    while path:
        page = pages.open(path)
        found += linked(page)
        older = re.search(r'rel="next" href="/dashboard(/threads[^"]+)"', page)
        path = older[1] if older else ""

    assert sorted(found) == names
    assert "is the cursor of a page" in pages.open("/threads", 422, after="x")


def test_the_history_of_a_thread_says_what_changed(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.run("saying", {"total": 1, "items": ["bolts"], "note": "x"}, thread_id="a")
    pages.run("saying", {"total": 2, "items": ["bolts", "nuts"]}, thread_id="a")

    page = pages.open("/threads/a")
    newest, second = page.split('<details class="checkpoint"')[1:3]
    summary = " ".join(re.sub(r"<[^>]+>", "", newest.partition("</summary>")[0]).split())

    assert summary.endswith("total: 1 → 2; items[1]: + nuts; note: gone")
    assert '<span class="was">1</span><span class="is">2</span>' in newest
    assert "nothing changed" in second

    monkeypatch.setattr(threads, "PAGE", 1)  # what is below the page counts all the same
    assert "total: 1 → 2" not in pages.open("/threads/a?before=4")
    assert "total: 1 → 2" in pages.open("/threads/a")


def test_a_thread_is_copied(pages: Pages) -> None:
    pages.record("a/b", {"owner": "ann"})
    pages.run("counting", 1, thread_id="a/b")

    sent = pages.send("/threads/a/b/copy", {"target": "c d"})
    taken = pages.send("/threads/a/b/copy", {"target": "c d"}, 422)
    unnamed = pages.send("/threads/a/b/copy", {"target": " "}, 422)

    assert sent.url.path == "/dashboard/threads/c d"
    assert '<pre class="value" tabindex="0">1</pre>' in sent.text
    assert "has a history of its own" in taken.text.partition('role="alert"')[2]
    assert "needs a name" in unnamed.text
    assert set(linked(pages.open("/threads"))) == {"a/b", "c%20d"}


def test_a_thread_is_deleted_unless_a_run_is_at_work_on_it(pages: Pages) -> None:
    pages.record("a")
    pages.run("counting", 1, thread_id="a")
    waiting = pages.worker.client.enqueue("counting", 1, thread_id="a")

    busy = pages.send("/threads/a/delete", status=409)
    waiting.cancel()
    sent = pages.send("/threads/a/delete")

    assert waiting.run_id in busy.text.partition('role="alert"')[2].partition("</p>")[0]
    assert sent.url.path == "/dashboard/threads"
    assert linked(sent.text) == []
    assert "there is no thread 'a'" in pages.open("/threads/a", 404)


def test_who_may_not_change_threads_is_told(closed: Pages) -> None:
    closed.run("counting", 1, thread_id="a")

    for role, refused in ((Role.CLIENT, ("copy", "delete")), (Role.OPERATOR, ("delete",))):
        closed.log_in(role)
        page = closed.open("/threads/a")
        for action in refused:
            assert f"{action}: you are {role.article}" in page
            closed.send(f"/threads/a/{action}", {"target": "b"}, 403)
    assert "copy: you are" not in page


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
