"""Lets runs go on, as runs of who asks for it."""

from __future__ import annotations

__all__ = ["resume_run"]

from typing import Any

from penstock.gateway.call import Call
from penstock.gateway.compatible.leg_config import resume_as
from penstock.runtime.types.interrupt import NOTHING


async def resume_run(call: Call[Any, Any], run_id: str, answer: Any = NOTHING) -> None:
    """Answer what a run asks, or let one that failed go on; it is the sender's from there on.

    Raises:
        RunNotFoundError: there is none.
        ResumeError: it waits for no such answer, or goes on already as another user's.
        AnswerError: an answer does not fit the schema of its question.
    """
    await resume_as(call.client, run_id, call.configurable, answer)
