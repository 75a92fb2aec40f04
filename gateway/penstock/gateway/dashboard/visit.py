"""One request of a browser, and the pages that answer it."""

from __future__ import annotations

__all__ = ["SEE_OTHER", "Visit"]

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from penstock.gateway.auth.filters import Filter
from penstock.gateway.auth.identity import LOCAL, Identity
from penstock.gateway.auth.user import User
from penstock.gateway.call import Call, Empty
from penstock.gateway.dashboard.session import Session
from penstock.gateway.dashboard.site import Site
from penstock.gateway.dashboard.templates import render
from penstock.gateway.errors import HIDES_VALUES, RequestError
from penstock.gateway.native.asks import ALL_RUNS
from penstock.runtime.client.async_client import AsyncClient

SEE_OTHER: Final = 303

_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Visit:
    """What a screen is given."""

    site: Site
    request: Request
    identity: Identity | None
    """None of somebody who is to log in."""
    session: Session | None
    token: str
    """What the forms of the page carry."""
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    user: User | None = None
    """Who it is, as the Auth object says; None if the gateway has none."""
    filter: Filter = field(default_factory=dict[str, Any])
    """What the metadata has of the things that are for the user; empty for all."""

    def call(self, body: BaseModel | None = None) -> Call[Any, Any]:
        """Return what the API would be asked for, which the Auth object knows."""
        return Call(
            self.site.shared,
            self.identity or LOCAL,
            self.path,
            Empty(),
            body or Empty(),
            self.request.headers,
            self.user,
            self.filter,
        )

    async def sees_all(self) -> bool:
        """Tell whether the runs of everybody are for this visitor."""
        try:
            await ALL_RUNS(self.call())
        except RequestError:
            return False
        return True

    @property
    def client(self) -> AsyncClient:
        """The client of the gateway."""
        return self.site.shared.client

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path that have names."""
        return self.request.path_params

    @property
    def query(self) -> Mapping[str, str]:
        """The query, without what is empty: forms send all of their fields."""
        return {name: value for name, value in self.request.query_params.items() if value.strip()}

    @property
    def base(self) -> str:
        """The path that the dashboard is mounted at."""
        return str(self.request.scope.get("root_path", "")).rstrip("/")

    @property
    def here(self) -> str:
        """The address of this page, without its host."""
        query = self.request.url.query
        return f"{self.request.url.path}{'?' * bool(query)}{query}"

    @property
    def api(self) -> str:
        """The address of the native API, as others reach it."""
        url = self.request.url
        return f"{url.scheme}://{url.netloc}{self.base.removesuffix('/dashboard')}/api"

    @property
    def sees_values(self) -> bool:
        """Whether inputs, results and words are for this visitor."""
        identity = self.identity
        return identity is not None and self.site.shared.settings.shows_values(identity.role)

    def check_values(self) -> None:
        """Refuse those who may not see values.

        Raises:
            RequestError: 403.
        """
        if not self.sees_values:
            raise RequestError(403, HIDES_VALUES)

    def all(self, name: str) -> list[str]:
        """Return all values that the query has of a name."""
        return self.request.query_params.getlist(name)

    def number(self, name: str) -> int | None:
        """Return a number of the query; None if it has none, or something else."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None

    def is_at(self, path: str) -> bool:
        """Tell whether this page is, or is below, a path of the dashboard."""
        there = f"{self.base}{path}"
        return self.request.url.path == there or (path != "/" and self.here.startswith(there))

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        text = render(f"{template}.html", visit=self, **values)
        headers = {"Cache-Control": "no-store"}
        return Response(text, status, headers, "text/html")

    def go(self, path: str) -> Response:
        """Send the browser to another page."""
        return RedirectResponse(f"{self.base}{path}", SEE_OTHER)
