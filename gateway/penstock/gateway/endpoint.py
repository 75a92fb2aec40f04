"""A route of the API: what is asked, who may ask it, and what answers."""

from __future__ import annotations

__all__ = ["Endpoint", "answer_json"]

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, read_body, read_query
from penstock.gateway.errors import RequestError
from penstock.gateway.json_text import json_text
from penstock.gateway.shared import Shared

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Q, B]):
    """One method of one path; the first sentence of its answer's docstring describes it."""

    method: str
    path: str
    needs: Role
    query: type[Q]
    body: type[B]
    answer: Callable[[Call[Q, B]], Awaitable[Response]]
    status: int = 200
    """The status of a success."""

    @property
    def summary(self) -> str:
        """What it does, in a sentence."""
        return (self.answer.__doc__ or "").strip().partition("\n")[0]

    def route(self, shared: Shared) -> Route:
        """Return the route of a gateway."""

        async def answered(request: Request) -> Response:
            return await self._answer(shared, request)

        return Route(self.path, answered, methods=[self.method], name=self.answer.__name__)

    async def _answer(self, shared: Shared, request: Request) -> Response:
        await shared.open()
        address = request.client.host if request.client is not None else "an unknown address"
        identity = await shared.authenticator.identify(request.headers, address)
        if not identity.role.may(self.needs):
            raise RequestError(
                403, f"{identity.name!r} is a {identity.role}: this needs the role {self.needs}."
            )
        call = Call(
            shared,
            identity,
            request.path_params,
            read_query(self.query, request),
            await read_body(self.body, request, shared.settings.body_limit),
            request.headers,
        )
        return await self.answer(call)


def answer_json(value: Any, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return Response(json_text(value), status, media_type="application/json")
