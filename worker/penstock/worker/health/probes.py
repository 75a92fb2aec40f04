"""What is answered to `/live` and `/ready`."""

from __future__ import annotations

__all__ = ["answer"]

from collections.abc import Callable

from penstock.worker.health.http import Answer
from penstock.worker.health.status import Status


def answer(path: str, status: Callable[[], Status]) -> Answer:
    """Answer a request; 503 stands for no."""
    if path == "/live":
        now = status()
        return Answer(200 if now.is_live else 503, now.live_json() + "\n")
    if path == "/ready":
        now = status()
        return Answer(200 if now.is_ready else 503, now.ready_json() + "\n")
    return Answer(404, "no such page; there are /live and /ready\n", "text/plain")
