"""A route of the API: what is asked, who may ask it, and what answers."""

from __future__ import annotations

__all__ = ["CLOSED", "Endpoint", "answer_json"]

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.role import Role
from penstock.gateway.auth.user import User, identity_of
from penstock.gateway.call import Call, address_of, read_body, read_query
from penstock.gateway.errors import HIDES_VALUES, RequestError
from penstock.gateway.json_text import json_text
from penstock.gateway.raw_route import RawRoute
from penstock.gateway.shared import Shared

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)

CLOSED: Final = "this gateway has an Auth object, which is not asked for this route: it is closed."


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
    asks: Callable[[Call[Q, B]], Awaitable[Call[Q, B]]] | None = None
    """Asks the Auth object, if the gateway has one; a route that asks nobody is closed then."""

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
        user, identity = await self.admit(shared, request)
        call = Call(
            shared,
            identity,
            request.path_params,
            read_query(self.query, request),
            await read_body(self.body, request, shared.settings.body_limit),
            request.headers,
            user,
        )
        return await self.answer(
            call if user is None or self.asks is None else await self.asks(call)
        )

    async def admit(self, shared: Shared, request: Request) -> tuple[User | None, Identity]:
        """Return who sends a request, who may come here; the user, if there is an Auth object.

        Raises:
            RequestError: 401 or 403.
        """
        await shared.open()
        user = None if shared.handlers is None else await shared.handlers.user(request)
        identity = await self._identity(shared, request, user)
        if self.has_values and not shared.settings.shows_values(identity.role):
            raise RequestError(403, HIDES_VALUES)
        return user, identity

    async def _identity(self, shared: Shared, request: Request, user: User | None) -> Identity:
        """Return who sends a request, who may come here.

        Raises:
            RequestError: 401 or 403.
        """
        if user is None:
            found = await shared.authenticator.identify(request.headers, address_of(request))
            found.check(self.needs)
            return found
        if self.asks is None:
            raise RequestError(403, CLOSED)
        return identity_of(user)


def answer_json(value: Any, status: int = 200) -> Response:
    """Answer with a value as JSON."""
    return Response(json_text(value), status, media_type="application/json")
