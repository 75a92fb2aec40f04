"""An Auth by which each user has things of their own, and a chief sees all."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from penstock.gateway import Auth
from penstock.runtime import entrypoint, interrupt
from penstock.runtime.testing import InMemoryWorker
from tests.gateway.api import Api
from tests.gateway.flows import FLOWS

ANN, BOB, CHIEF = ({"authorization": name} for name in ("ann", "bob", "chief"))


@entrypoint()
def whose(x: Any, *, config: Any) -> str:
    return str(config["configurable"].get("langgraph_auth_user_id"))


@entrypoint()
def whose_answer(x: Any, *, config: Any) -> str:
    interrupt("go on?")
    return str(config["configurable"].get("langgraph_auth_user_id"))


def owners() -> Auth:
    """Make it."""
    auth = Auth()

    @auth.authenticate
    async def who(authorization: str | None) -> str:
        if authorization is None:
            raise auth.exceptions.HTTPException(401, "who?", {"WWW-Authenticate": "Own"})
        return authorization

    @auth.on
    async def own(ctx: Any, value: dict[str, Any]) -> Any:
        return None if ctx.user.identity == "chief" else {"owner": ctx.user.identity}

    return auth


@contextmanager
def serving(auth: Any) -> Generator[Api]:
    """A gateway that has an Auth."""
    with InMemoryWorker([*FLOWS, whose]) as worker, Api(worker, auth=auth) as api:
        yield api
