"""The page that takes an API key, and the end of a session."""

from __future__ import annotations

__all__ = ["SCREENS"]

import time
from collections.abc import Sequence
from typing import Final

from starlette.responses import RedirectResponse, Response

from penstock.gateway.auth.api_key import parsed
from penstock.gateway.call import address_of
from penstock.gateway.dashboard.screen import COOKIE, Screen
from penstock.gateway.dashboard.session import LASTS, new_session
from penstock.gateway.dashboard.user_login import key_cookie, with_key
from penstock.gateway.dashboard.visit import SEE_OTHER, Visit
from penstock.gateway.errors import RequestError


async def ask(visit: Visit) -> Response:
    """Ask for a key."""
    return visit.page("login", to=_target(visit, visit.query.get("to", "")), error="")


async def login(visit: Visit) -> Response:
    """Begin a session of the holder of a key."""
    text, to = visit.form.get("key", "").strip(), _target(visit, visit.form.get("to", ""))
    try:
        cookie = await _cookie(visit, text)
    except RequestError as error:
        return visit.page("login", error.status, to=to, error=str(error))
    response = RedirectResponse(to, SEE_OTHER)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=LASTS,
        path=visit.base,
        secure=visit.request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def _cookie(visit: Visit, text: str) -> str:
    """Return the cookie of the holder of a key.

    Raises:
        RequestError: it is wrong, or the Auth object says so.
    """
    shared, secret = visit.site.shared, await visit.site.secret()
    if shared.handlers is not None:
        await shared.handlers.user(with_key(visit.request, text))
        return key_cookie(text, secret)
    key = {"x-api-key": text or "none"}
    await shared.authenticator.identify(key, address_of(visit.request))
    key_id, _ = parsed(text) or ("", "")
    return new_session(key_id, time.time()).signed(secret)


async def logout(visit: Visit) -> Response:
    """End the session of this browser."""
    response = visit.go("/login")
    response.delete_cookie(COOKIE, path=visit.base)
    return response


def _target(visit: Visit, to: str) -> str:
    """Return where to go after the login: a page of the dashboard, never another site."""
    return to if to.startswith(f"{visit.base}/") else f"{visit.base}/"


SCREENS: Final[Sequence[Screen]] = (
    Screen("GET", "/login", None, ask),
    Screen("POST", "/login", None, login),
    Screen("POST", "/logout", None, logout),
)
