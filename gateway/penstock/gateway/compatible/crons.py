"""Crons, which there are none of yet: their routes say so."""

from __future__ import annotations

__all__ = ["CRON_ROUTES"]

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.gateway.endpoint import answer_json

_WHY: Final = (
    "crons: there are no schedules yet; have a scheduler of yours begin the runs, or give a run "
    "after_seconds."
)


async def _refuse(request: Request) -> Response:
    return answer_json({"detail": _WHY}, 501)


CRON_ROUTES: Final[Sequence[Route]] = (
    Route("/threads/{thread_id}/runs/crons", _refuse, methods=["POST"]),
    Route("/runs/crons", _refuse, methods=["POST"]),
    Route("/runs/crons/{rest:path}", _refuse, methods=["POST", "GET", "PATCH", "DELETE"]),
)
