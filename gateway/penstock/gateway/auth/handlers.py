"""The functions of an `Auth` object, ours or LangGraph's, as a gateway asks them."""

from __future__ import annotations

__all__ = ["AuthContext", "Handlers"]

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from penstock.gateway.auth.auth import ACTIONS, ANY
from penstock.gateway.auth.failures import AuthHandlerError
from penstock.gateway.auth.filters import Filter, read_filter
from penstock.gateway.auth.user import User, read_user
from penstock.gateway.errors import RequestError
from penstock.publisher.errors import ConfigurationError

_OF_REQUEST: Final[Mapping[str, Callable[[Request], Any]]] = {
    "request": lambda request: request,
    "path": lambda request: request.scope["path"],
    "method": lambda request: request.method,
    "path_params": lambda request: dict(request.path_params),
    "query_params": lambda request: dict(request.query_params),
    "headers": lambda request: dict(request.headers.raw),
    "authorization": lambda request: request.headers.get("authorization"),
}
"""The parameters that `authenticate` may have."""

_SHAPE: Final = ("_authenticate_handler", "_handlers", "_global_handlers")

_LEAST: Final = 400


@dataclass(frozen=True, slots=True)
class AuthContext:
    """Who asks for what; handlers call it `ctx`."""

    user: User
    permissions: Sequence[str]
    resource: str
    action: str


class Handlers:
    """Says who sends a request, and what they may do; what fails is no way in."""

    def __init__(self, auth: Any) -> None:
        """Take the functions of an `Auth`, which is known by its shape.

        Raises:
            ConfigurationError: it is none, or has a function that could not be asked.
        """
        if not all(hasattr(auth, name) for name in _SHAPE):
            raise ConfigurationError(
                f"auth is {type(auth).__name__}: give an Auth of penstock.gateway or langgraph_sdk."
            )
        authenticate, handlers, everything = (getattr(auth, name) for name in _SHAPE)
        if authenticate is None:
            raise ConfigurationError("this Auth has no function for @auth.authenticate.")
        self._authenticate: Callable[..., Any] = authenticate
        self._parameters = _parameters(authenticate)
        self._is_async = inspect.iscoroutinefunction(authenticate)
        self._handlers: dict[tuple[str, str], Callable[..., Any]] = {
            _pair(*pair): own[-1] for pair, own in handlers.items() if own
        }
        if everything:
            self._handlers[ANY, ANY] = everything[-1]

    async def user(self, request: Request) -> User:
        """Return who sends a request.

        Raises:
            RequestError: nobody who may come in.
            AuthHandlerError: the function failed.
        """
        given = {name: _OF_REQUEST[name](request) for name in self._parameters}
        try:
            if self._is_async:
                found = await self._authenticate(**given)
            else:
                found = await run_in_threadpool(self._authenticate, **given)
                found = await found if inspect.isawaitable(found) else found
        except Exception as error:
            raise _refusal(error, "authenticate") from error
        return read_user(found)

    async def ask(self, user: User, resource: str, action: str, value: dict[str, Any]) -> Filter:
        """Ask the handler that is the most specific; returns its filter, and it may change `value`.

        Raises:
            RequestError: it refuses.
            AuthHandlerError: it failed.
        """
        handler = self.handler(resource, action)
        if handler is None:
            return {}
        ctx = AuthContext(user, user.permissions, resource, action)
        try:
            found = await handler(ctx=ctx, value=value)
        except Exception as error:
            raise _refusal(error, f"{resource}.{action}") from error
        return _verdict(found, f"{resource}.{action}")

    def handler(self, resource: str, action: str) -> Callable[..., Any] | None:
        """Return the handler that is the most specific; None if nobody is to be asked."""
        places = ((resource, action), (resource, ANY), (ANY, action), (ANY, ANY))
        return next((self._handlers[each] for each in places if each in self._handlers), None)


def _verdict(found: Any, asked: str) -> Filter:
    if found is None or found is True:
        return {}
    if found is False:
        raise RequestError(403, "Forbidden")
    if isinstance(found, Mapping):
        return read_filter(cast("Mapping[object, Any]", found))
    raise AuthHandlerError(
        f"the handler of {asked} returned {found!r}: None, True, False or a filter is an answer."
    )


def _refusal(error: Exception, asked: str) -> Exception:
    """Return the refusal that a function has raised, or its failure; told by shape."""
    status: Any = getattr(error, "status_code", None)
    is_refusal = any(each.__name__ == "HTTPException" for each in type(error).__mro__)
    if not is_refusal or not isinstance(status, int) or status < _LEAST:
        return AuthHandlerError(f"the function for {asked} failed: {type(error).__name__}.")
    headers: Any = getattr(error, "headers", None)
    return RequestError(status, str(getattr(error, "detail", "")), headers=headers)


def _pair(resource: str, action: str) -> tuple[str, str]:
    known = {each for name in ACTIONS if resource in (name, ANY) for each in ACTIONS[name]}
    if action not in (known | {ANY} if known else known):
        raise ConfigurationError(
            f"this Auth has a handler for {resource}.{action}, which is never asked for; the "
            f"resources are {', '.join(ACTIONS)}."
        )
    return resource, action


def _parameters(authenticate: Callable[..., Any]) -> Sequence[str]:
    found: list[str] = []
    for name, parameter in inspect.signature(authenticate).parameters.items():
        is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if is_named and name in _OF_REQUEST:
            found.append(name)
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            raise ConfigurationError(
                f"authenticate has a parameter {name!r}; it may have {', '.join(_OF_REQUEST)}."
            )
    return found
