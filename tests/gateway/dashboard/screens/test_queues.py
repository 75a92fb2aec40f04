"""Queues and workers."""

from __future__ import annotations

from tests.gateway.dashboard.pages import Pages


def test_a_queue_without_workers_says_how_to_start_one(pages: Pages) -> None:
    pages.worker.client.enqueue("doubled", 1, queue="elsewhere")

    page = pages.open("/queues")

    assert 'href="/dashboard/runs?queue=elsewhere"' in page
    assert "penstock worker flows.py -q elsewhere" in page
    assert "No worker is alive" in page


def test_entrypoints_of_workers_are_named(pages: Pages) -> None:
    page = pages.open("/queues")

    assert 'href="/dashboard/entrypoints/ordering"' in page
