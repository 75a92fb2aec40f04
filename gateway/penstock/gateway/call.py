"""One request, with its path, query and body read and checked."""

from __future__ import annotations

__all__ = [
    "Call",
    "Empty",
    "address_of",
    "checked",
    "has_body",
    "read_body",
    "read_query",
    "received",
]

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from penstock.gateway.auth.filters import Filter
from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.user import User
from penstock.gateway.errors import RequestError
from penstock.gateway.shared import Shared
from penstock.runtime.client.async_client import AsyncClient

Q = TypeVar("Q", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)

_NO_BODY: Final = frozenset({"GET", "HEAD", "DELETE"})
"""Methods whose requests have no body, unless the route names fields of one."""


class Empty(BaseModel):
    """A query or a body without fields; unknown ones are refused, as in all of them."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """What an endpoint is given."""

    shared: Shared
    identity: Identity
    path: Mapping[str, str]
    query: Q
    body: B
    headers: Mapping[str, str]
    user: User | None = None
    """Who sends it, as the Auth object says; None if the gateway has none."""
    filter: Filter = field(default_factory=dict[str, Any])
    """What the metadata has of the things that are for the user; empty for all."""

    async def ask(self, resource: str, action: str, value: dict[str, Any]) -> Filter:
        """Ask the Auth object, which may change `value`; without one, all is allowed.

        Raises:
            RequestError: it refuses.
        """
        handlers = self.shared.handlers
        if handlers is None or self.user is None:
            return {}
        return await handlers.ask(self.user, resource, action, value)

    @property
    def configurable(self) -> Mapping[str, Any]:
        """What a new run is told in `configurable`, which requests cannot say: who its user is."""
        return {} if self.user is None else self.user.configurable()

    @property
    def client(self) -> AsyncClient:
        """The client of the gateway."""
        return self.shared.client

    @property
    def sees_values(self) -> bool:
        """Whether inputs, results and messages of errors are for this sender."""
        return self.shared.settings.shows_values(self.identity.role)


def read_query(model: type[Q], request: Request) -> Q:
    """Read the query of a request; a list may be given as one name several times.

    Raises:
        RequestError: a field is unknown or has a value that it cannot have.
    """
    given = request.query_params
    lists = {
        name for name, field in model.model_fields.items() if get_origin(field.annotation) is list
    }
    values: dict[str, Any] = {
        name: given.getlist(name) if name in lists else given[name] for name in given
    }
    return checked(model, values)


def has_body(method: str, model: type[BaseModel]) -> bool:
    """Tell whether a body is read of the requests of a route."""
    return method not in _NO_BODY or bool(model.model_fields)


async def read_body(model: type[B], request: Request, limit: int) -> B:
    """Read the JSON body of a request.

    Raises:
        RequestError: it is too large, of another type, or has fields that it cannot have.
    """
    if not has_body(request.method, model):
        return checked(model, {})
    text = await received(request, limit)
    if not text.strip():
        return checked(model, {})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(
            415, f"the body is {kind or 'of no type'}: send Content-Type: application/json."
        )
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(422, f"the body is not JSON: {error}.") from error
    return checked(model, values)


def address_of(request: Request) -> str:
    """Return the address that a request came from."""
    return "an unknown address" if request.client is None else request.client.host


async def received(request: Request, limit: int) -> bytes:
    """Receive the body of a request.

    Raises:
        RequestError: it is too large.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise RequestError(413, f"the body is over {limit} bytes, the limit of this gateway.")
    return bytes(body)


def checked(model: type[Q], values: Any, whole: str = "the body") -> Q:
    """Read the values of a request; `whole` names all of them.

    Raises:
        RequestError: they do not fit.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        first = errors[0]
        where = ".".join(map(str, first["loc"])) or whole
        raise RequestError(422, f"{where}: {first['msg']}.", errors=list(errors)) from error
