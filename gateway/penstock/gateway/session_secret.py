"""The secret of sessions and of cursors, the same for all processes of a Redis."""

from __future__ import annotations

__all__ = ["read_secret"]

import secrets
from typing import Final

from penstock.gateway.keys import GatewayKeys
from penstock.publisher.errors import RedisUnavailableError
from penstock.runtime.redis.plans.requests import Plan

_BYTES: Final = 32


def read_secret(keys: GatewayKeys) -> Plan[bytes]:
    """Read the secret, and make it if there is none yet.

    Raises:
        RedisUnavailableError: Redis has lost it in between.
    """
    found: bytes | None = yield ("GET", keys.session_secret())
    if found is None:
        yield ("SET", keys.session_secret(), secrets.token_hex(_BYTES), "NX")
        found = yield ("GET", keys.session_secret())
    if not found:
        raise RedisUnavailableError("the secret of sessions was lost while it was read; try again.")
    return found
