"""What is answered to `/live`, `/ready` and `/metrics`."""

from __future__ import annotations

__all__ = ["answer"]

from collections.abc import Callable

from penstock.worker.health.exposition import CONTENT_TYPE, MISSING
from penstock.worker.health.http import Answer
from penstock.worker.health.status import Status


def answer(
    path: str, status: Callable[[], Status], metrics: Callable[[], str] | None = None
) -> Answer:
    """Answer a request; 503 stands for no."""
    if path == "/live":
        now = status()
        return Answer(200 if now.is_live else 503, now.live_json() + "\n")
    if path == "/ready":
        now = status()
        return Answer(200 if now.is_ready else 503, now.ready_json() + "\n")
    if path == "/metrics" and metrics is not None:
        return Answer(200, metrics(), CONTENT_TYPE)
    if path == "/metrics":
        return Answer(501, MISSING, "text/plain")
    return Answer(404, "no such page; there are /live, /ready and /metrics\n", "text/plain")
