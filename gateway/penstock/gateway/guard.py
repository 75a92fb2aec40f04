"""Refuses requests of pages and names that are not the gateway's own, and names each request."""

from __future__ import annotations

__all__ = ["Guard", "allowed_origins"]

import json
import re
import uuid
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
"""Origins that may use every gateway: pages that this machine serves."""

_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}

_ID: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)


def allowed_origins(origins: Iterable[str]) -> re.Pattern[str]:
    """Return what the origins of pages are matched with; `*` is any."""
    wanted = [".*" if each == "*" else re.escape(each) for each in origins]
    return re.compile("|".join((LOOPBACK, *wanted)))


_FORBIDDEN: Final = 4403
"""The code that a WebSocket is refused with; before it is open, servers answer 403."""


class Guard:
    """Checks `Host` and `Origin`: DNS rebinding and foreign pages are how a browser is misused."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] | None, origins: re.Pattern[str]) -> None:
        self._app = app
        self._hosts = None if hosts is None else _LOOPBACK_HOSTS | {each.lower() for each in hosts}
        """Names by which it may be asked for; None for all."""
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 or 403, or pass the request on."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket" and self._refused(Headers(scope=scope)) is not None:
            await send({"type": "websocket.close", "code": _FORBIDDEN})
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                found["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    found.setdefault(name, value)
            await send(message)

        if (refused := self._refused(headers)) is None:
            await self._app(scope, receive, sent)
        else:
            await _refuse(*refused, sent)

    def _refused(self, headers: Headers) -> tuple[int, str] | None:
        host = re.sub(r":\d+$", "", headers.get("host", ""))
        if self._hosts is not None and host.lower() not in self._hosts:
            return 421, f"this gateway is not {host!r}: add the name to its setting `hosts`."
        origin = headers.get("origin")
        if origin is None or self._origins.fullmatch(origin) or _is_own(origin, headers):
            return None
        return 403, f"pages of {origin!r} may not use this gateway: see its setting `origins`."


def _is_own(origin: str, headers: Headers) -> bool:
    return origin.partition("://")[2] == headers.get("host", "")


async def _refuse(status: int, detail: str, send: Send) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
