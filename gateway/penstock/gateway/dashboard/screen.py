"""A route of the dashboard: who may ask it, and what answers."""

from __future__ import annotations

__all__ = ["Screen"]

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from penstock.gateway.auth.api_key import ApiKey
from penstock.gateway.auth.handlers import Handlers
from penstock.gateway.auth.identity import Identity
from penstock.gateway.auth.role import Role
from penstock.gateway.auth.user import identity_of
from penstock.gateway.call import Call, received
from penstock.gateway.dashboard.session import (
    Session,
    claimed_key,
    is_token,
    read_session,
    token_of,
)
from penstock.gateway.dashboard.site import Site
from penstock.gateway.dashboard.user_login import identify, user_token
from penstock.gateway.dashboard.visit import SEE_OTHER, Visit
from penstock.gateway.endpoint import CLOSED
from penstock.gateway.errors import RequestError, status_of
from penstock.publisher.errors import PenstockError

COOKIE: Final = "penstock_session"


@dataclass(frozen=True, slots=True)
class Screen:
    """One method of one path."""

    method: str
    path: str
    needs: Role | None
    """None: it needs no login."""
    answer: Callable[[Visit], Awaitable[Response]]
    asks: Callable[[Call[Any, Any]], Awaitable[Call[Any, Any]]] | None = None
    """Asks the Auth object, if the gateway has one; a screen that asks nobody is closed then."""

    def route(self, site: Site) -> Route:
        """Return the route of a dashboard."""

        async def answered(request: Request) -> Response:
            return await self._answer(site, request)

        return Route(self.path, answered, methods=[self.method], name=self.answer.__name__)

    async def _answer(self, site: Site, request: Request) -> Response:
        visit = Visit(site, request, None, None, "")
        try:
            await site.shared.open()
            visit = await _visit(site, request)
            if self.needs is not None and visit.identity is None:
                return RedirectResponse(_login(visit, self.method), SEE_OTHER)
            if self.method == "POST":
                _check_origin(request)
                visit = await _with_form(visit)
            if self.needs is not None and visit.identity is not None:
                visit.identity.check(self.needs)
            return await self.answer(await self._asked(visit))
        except PenstockError as error:
            status = status_of(error)
            if status is None:
                raise
            return visit.page("error", status, error=str(error))

    async def _asked(self, visit: Visit) -> Visit:
        """Ask the Auth object for what this screen shows or does."""
        if visit.user is None or self.needs is None:
            return visit
        if self.asks is None:
            raise RequestError(403, CLOSED)
        return replace(visit, filter=(await self.asks(visit.call())).filter)


def _login(visit: Visit, method: str) -> str:
    """Return where to log in; what was to be done by a form is not done afterwards."""
    back = "" if method == "POST" else f"?to={quote(visit.here, safe='')}"
    return f"{visit.base}/login{back}"


async def _visit(site: Site, request: Request) -> Visit:
    """Find out who asks: somebody with a session, or anybody if the gateway is open."""
    cookie = request.cookies.get(COOKIE, "")
    if site.shared.handlers is not None:
        return await _user_visit(site, request, site.shared.handlers, cookie)
    secret, key = await site.read_access(claimed_key(cookie))
    session = read_session(cookie, secret, time.time())
    identity = None if session is None else _holder(session, key)
    if identity is None:
        session, identity = None, await _anybody(site)
    return Visit(site, request, identity, session, token_of(session, secret))


async def _user_visit(site: Site, request: Request, handlers: Handlers, cookie: str) -> Visit:
    """Find out who asks from the Auth object, which decides alone."""
    secret = await site.secret()
    user, is_typed = await identify(handlers, request, cookie, secret)
    if user is None:
        return Visit(site, request, None, None, token_of(None, secret))
    session = Session("", user.identity, 0.0) if is_typed else None
    token = user_token(user, secret)
    return Visit(site, request, identity_of(user), session, token, user=user)


def _holder(session: Session, key: ApiKey | None) -> Identity | None:
    """Return who holds the key of a session, as long as there is that key."""
    if key is None or key.key_id != session.key_id or not key.is_good(datetime.now(UTC)):
        return None
    return Identity(key.name, key.role, key.key_id)


async def _anybody(site: Site) -> Identity | None:
    """Return who a visitor without a session is: pages never send keys in headers."""
    try:
        return await site.shared.authenticator.identify({}, "")
    except RequestError:
        return None


def _check_origin(request: Request) -> None:
    """Refuse forms of other pages, by what browsers say and scripts cannot change."""
    origin = request.headers.get("origin", "")
    is_own = origin.partition("://")[2] == request.headers.get("host")
    site = request.headers.get("sec-fetch-site", "same-origin" if is_own else "")
    if site != "same-origin":
        raise RequestError(403, "this form was not sent by the dashboard: open it again.")


async def _with_form(visit: Visit) -> Visit:
    """Read the form that was sent, with the token of this session."""
    body = await received(visit.request, visit.site.shared.settings.body_limit)
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not is_token(form.pop("token", ""), visit.token):
        raise RequestError(403, "this form is of another session: go back, and load the page anew.")
    return replace(visit, form=form)
