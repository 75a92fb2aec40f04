"""Visitors whom an Auth object knows: by what their browser or a proxy sends, or by a typed key."""

from __future__ import annotations

__all__ = ["identify", "key_cookie", "user_token", "with_key"]

import json
import time
from typing import Final

from starlette.requests import Request

from penstock.gateway.auth.handlers import Handlers
from penstock.gateway.auth.user import User
from penstock.gateway.dashboard.session import LASTS, Session, token_of
from penstock.gateway.errors import RequestError
from penstock.gateway.sealed_text import sealed, unsealed

_PURPOSE: Final = "key"

_UNKNOWN: Final = (401, 403)


async def identify(
    handlers: Handlers, request: Request, cookie: str, secret: bytes
) -> tuple[User | None, bool]:
    """Return who opens a page, and whether that is known by a key that was typed.

    Raises:
        RequestError: the Auth object refuses in another way than that it does not know somebody.
        AuthHandlerError: it failed.
    """
    key = _typed_key(cookie, secret)
    typed = [(with_key(request, key), True)] if key else []
    for each, is_typed in (*typed, (request, False)):
        try:
            return await handlers.user(each), is_typed
        except RequestError as error:
            if error.status not in _UNKNOWN:
                raise
    return None, False


def with_key(request: Request, key: str) -> Request:
    """Return a request as it would have come from a program that has a key, or a token."""
    own = [
        (name, value)
        for name, value in request.scope["headers"]
        if name not in (b"x-api-key", b"authorization")
    ]
    sent = key.encode("utf-8", "replace")
    headers = [*own, (b"x-api-key", sent), (b"authorization", b"Bearer " + sent)]
    return Request({**request.scope, "headers": headers})


def key_cookie(key: str, secret: bytes) -> str:
    """Return the value of a cookie that has a key, which the browser cannot read."""
    return sealed(json.dumps([key, time.time() + LASTS]), secret, _PURPOSE)


def user_token(user: User, secret: bytes) -> str:
    """Return what the forms of a user carry."""
    return token_of(Session("", f"user {user.identity}", 0.0), secret)


def _typed_key(cookie: str, secret: bytes) -> str:
    text = unsealed(cookie, secret, _PURPOSE)
    key, until = ("", 0.0) if text is None else json.loads(text)
    return key if time.time() < until else ""
