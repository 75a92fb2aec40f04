"""Answers that are one page of a list."""

from __future__ import annotations

__all__ = ["answer_page"]

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from penstock.gateway.endpoint import answer_json


def answer_page(shown: Sequence[Any], total: int, offset: int) -> Response:
    """Answer with a page that begins at `offset`; headers say how many there are, and go on."""
    answer = answer_json(shown)
    answer.headers["X-Pagination-Total"] = str(total)
    if total > offset + len(shown):
        answer.headers["X-Pagination-Next"] = str(offset + len(shown))
    return answer
