"""As whose run a run goes on: of who answers it, or lets it go on."""

from __future__ import annotations

__all__ = ["resume_as"]

from collections.abc import Mapping
from typing import Any

from penstock.gateway.auth.user import is_of_user, with_user
from penstock.gateway.compatible.legs import newest_leg
from penstock.runtime.client.async_client import AsyncClient
from penstock.runtime.errors import RunGoesOnError


async def resume_as(
    client: AsyncClient, run_id: str, user: Mapping[str, Any], answer: Any, request: str = ""
) -> int:
    """Answer what a run asks, or let it go on, as the run of a user; `request` is kept of it.

    A run that goes on already, with the same user, does so with what was known of this user then.
    Returns the number of the leg that it opens; 0 if nothing is kept.

    Raises:
        RunNotFoundError: there is none.
        ResumeError: it waits for no such answer, or goes on already as another user's.
        AnswerError: an answer does not fit the schema of its question.
    """
    config: Mapping[str, Any] | None = None
    if user:
        config = (await newest_leg(client, run_id)).legs.config
        config = with_user(config, user) or config
    try:
        return await client.do(client.plans.resume(run_id, answer, request, config))
    except RunGoesOnError:
        if not is_of_user((await newest_leg(client, run_id)).legs.config, user):
            raise
    return await client.do(client.plans.resume(run_id, answer, request))
