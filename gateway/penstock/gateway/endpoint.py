"""A route of the API: what is asked, who may ask it, and what answers."""

from __future__ import annotations

__all__ = ["Endpoint", "answer_json"]

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from penstock.gateway.auth.role import Role
from penstock.gateway.call import Call, address_of, read_body, read_query
from penstock.gateway.errors import HIDES_VALUES, RequestError
from penstock.gateway.json_text import json_text
from penstock.gateway.raw_route import RawRoute
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
    has_values: bool = False
    """Whether its answers have inputs, results or words, which may be hidden from viewers."""

    @property
    def summary(self) -> str:
        """What it does, in a sentence."""
        return (self.answer.__doc__ or "").strip().partition("\n")[0]

    def route(self, shared: Shared) -> RawRoute:
        """Return the route of a gateway."""

        async def answered(request: Request) -> Response:
            return await self._answer(shared, request)

        return RawRoute(self.path, answered, methods=[self.method], name=self.answer.__name__)

    async def _answer(self, shared: Shared, request: Request) -> Response:
        await shared.open()
        identity = await shared.authenticator.identify(request.headers, address_of(request))
        identity.check(self.needs)
        if self.has_values and not shared.settings.shows_values(identity.role):
            raise RequestError(403, HIDES_VALUES)
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
