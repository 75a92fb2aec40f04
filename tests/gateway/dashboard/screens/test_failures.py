"""Failures by their cause."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from penstock.gateway.auth.role import Role
from penstock.gateway.dashboard.screens import failures
from penstock.runtime.types.bulk import BulkProgress
from tests.gateway.dashboard.pages import Pages


def cause_of(pages: Pages) -> str:
    """Return the one cause there is."""
    (group,) = pages.worker.client.failures()
    return group.cause


def test_causes_are_listed_with_their_counts(pages: Pages) -> None:
    for text in ("bad luck", "worse luck"):
        pages.run("broken", text)

    page = pages.open("/failures")

    assert f'href="/dashboard/failures/{cause_of(pages)}"' in page
    assert '<td class="number">2 <span class="unit">failed</span></td>' in page
    assert "ValueError: worse luck" in page


def test_a_cause_shows_where_it_comes_from_and_its_runs(pages: Pages) -> None:
    run_id = pages.run("broken", "bad luck")

    page = pages.open(f"/failures/{cause_of(pages)}")

    assert "raise ValueError(text)" in page
    assert f"/dashboard/runs/{run_id}" in page
    assert "Resume all: 1 run<" in page


def test_all_runs_of_a_cause_are_resumed_with_their_count(pages: Pages) -> None:
    runs = [pages.run("broken", "bad luck") for _ in range(3)]

    sent = pages.send(f"/failures/{cause_of(pages)}/resume")

    assert "3 runs were changed." in sent.text
    assert {pages.status(each) for each in runs} == {"queued"}


def test_what_takes_longer_than_a_page_may_is_to_be_done_again(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.run("broken", "bad luck")
    monkeypatch.setattr(failures, "LONG", -1.0)

    sent = pages.send(f"/failures/{cause_of(pages)}/resume")

    assert "1 run was changed in the time that a page has: do the same again" in sent.text


def test_a_bulk_that_is_left_is_closed_at_once(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages.run("broken", "bad luck")
    monkeypatch.setattr(failures, "LONG", -1.0)
    closed: list[str] = []

    async def bulk(action: str, **_: Any) -> AsyncGenerator[BulkProgress]:
        try:
            while True:
                yield BulkProgress(1, 0, ())
        except GeneratorExit:
            closed.append(action)
            raise

    monkeypatch.setattr(pages.worker.aclient, "bulk", bulk)
    pages.send(f"/failures/{cause_of(pages)}/resume")

    assert closed == ["resume"]


def test_all_open_runs_of_what_fails_are_cancelled(pages: Pages) -> None:
    failed = pages.run("broken", "bad luck")
    waiting = pages.worker.client.enqueue("broken", "x").run_id
    other = pages.worker.client.enqueue("doubled", 1).run_id
    cause = cause_of(pages)
    page = pages.open(f"/failures/{cause}")

    sent = pages.send(f"/failures/{cause}/cancel")

    assert "Cancel all open runs of broken: 1 run<" in page
    assert "1 run was changed." in sent.text
    found = [pages.status(each) for each in (failed, waiting, other)]
    assert found == ["failed", "cancelled", "queued"]


def test_only_operators_change_many_runs(closed: Pages) -> None:
    run_id = closed.run("broken", "bad luck")
    closed.log_in(Role.CLIENT)

    page = closed.open(f"/failures/{cause_of(closed)}")

    assert "you are a client: this needs the role operator" in page
    assert "<button disabled" in page
    for action in ("resume", "cancel"):
        closed.send(f"/failures/{cause_of(closed)}/{action}", status=403)
    assert closed.status(run_id) == "failed"


def test_a_cause_that_is_not_there_is_said_to_be_none(pages: Pages) -> None:
    assert "no run has failed of the cause 'x'" in pages.open("/failures/x", 404)
    assert "No run has failed" in pages.open("/failures")
