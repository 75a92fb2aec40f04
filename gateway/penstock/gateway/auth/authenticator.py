"""Tells who sends a request, by the API key in it."""

from __future__ import annotations

__all__ = ["Authenticator"]

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NoReturn

from penstock.gateway.auth.api_key import parsed
from penstock.gateway.auth.api_keys import find_key
from penstock.gateway.auth.identity import LOCAL, Identity
from penstock.gateway.auth.wrong_keys import WrongKeys
from penstock.gateway.errors import RequestError
from penstock.gateway.keys import GatewayKeys
from penstock.runtime.client.async_client import AsyncClient

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


class Authenticator:
    """Asks Redis for the key of each request, so that one that was removed is worthless at once."""

    def __init__(self, client: AsyncClient, *, is_open: bool) -> None:
        self._client = client
        self._is_open = is_open
        self._keys = GatewayKeys(client.settings.prefix)
        self._wrong = WrongKeys()

    async def identify(self, headers: Mapping[str, str], address: str) -> Identity:
        """Return who sends a request with these headers.

        Raises:
            RequestError: 401 without a key, or with a wrong one; 429 after too many of those.
        """
        text = _key_in(headers)
        if text is None:
            if self._is_open:
                return LOCAL
            raise RequestError(
                401,
                "this needs an API key, in the header x-api-key or as a bearer token; "
                "`penstock key new NAME` makes one.",
                headers=_CHALLENGE,
            )
        identity = await self._find(text)
        if identity is None:
            self._refuse(address, time.monotonic())
        return identity

    def _refuse(self, address: str, now: float) -> NoReturn:
        """Refuse a wrong key. A good one never gets here: behind a proxy all have one address."""
        if seconds := self._wrong.wait(address, now):
            raise RequestError(
                429,
                f"too many wrong API keys came from {address}.",
                headers={"Retry-After": str(int(seconds) + 1)},
            )
        self._wrong.add(address, now)
        raise RequestError(401, "this API key is wrong, expired or removed.", headers=_CHALLENGE)

    async def _find(self, text: str) -> Identity | None:
        parts = parsed(text)
        if parts is None:
            return None
        key_id, secret = parts
        key = await self._client.do(find_key(self._keys, key_id))
        if key is None or not key.admits(secret, datetime.now(UTC)):
            return None
        return Identity(key.name, key.role, key.key_id)


def _key_in(headers: Mapping[str, str]) -> str | None:
    if (given := headers.get("x-api-key", "")) != "":
        return given
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
