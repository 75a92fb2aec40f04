"""What all screens of a dashboard share."""

from __future__ import annotations

__all__ = ["Site"]

from typing import Any

from penstock.gateway.auth.api_key import ApiKey
from penstock.gateway.auth.api_keys import find_key
from penstock.gateway.dashboard.assets import Assets
from penstock.gateway.dashboard.changes import Changes
from penstock.gateway.keys import GatewayKeys
from penstock.gateway.session_secret import read_secret
from penstock.gateway.shared import Shared
from penstock.runtime.redis.plans.requests import Plan
from penstock.runtime.redis.plans.together import together


class Site:
    """The gateway that it belongs to, its files, and what its open pages wait for."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.keys = GatewayKeys(shared.client.settings.prefix)
        self.assets = Assets()
        self.changes = Changes(shared.client)

    async def secret(self) -> bytes:
        """Return the secret that sessions are signed with."""
        return await self.shared.client.do(read_secret(self.keys))

    async def read_access(self, key_id: str) -> tuple[bytes, ApiKey | None]:
        """Read that secret and the record of an API key, in one round trip."""
        plans: list[Plan[Any]] = [read_secret(self.keys), find_key(self.keys, key_id)]
        secret, key = await self.shared.client.do(together(plans))
        return secret, key
