"""The API keys of a Redis: plans of requests, without IO."""

from __future__ import annotations

__all__ = ["add_key", "find_key", "list_keys", "remove_key"]

from penstock.gateway.auth.api_key import ApiKey
from penstock.gateway.keys import GatewayKeys
from penstock.runtime.redis.plans.requests import Plan


def add_key(keys: GatewayKeys, key: ApiKey) -> Plan[None]:
    """Store the record of a new key."""
    yield ("HSET", keys.api_keys(), key.key_id, key.encoded())


def find_key(keys: GatewayKeys, key_id: str) -> Plan[ApiKey | None]:
    """Read the record of a key."""
    text = yield ("HGET", keys.api_keys(), key_id)
    return None if text is None else ApiKey.decoded(key_id, text)


def list_keys(keys: GatewayKeys) -> Plan[list[ApiKey]]:
    """Read the records of all keys, the oldest first."""
    rows: dict[bytes, bytes] = yield ("HGETALL", keys.api_keys())
    found = [ApiKey.decoded(key_id.decode(), text) for key_id, text in rows.items()]
    return sorted(found, key=lambda key: key.created_at)


def remove_key(keys: GatewayKeys, key_id: str) -> Plan[bool]:
    """Make a key worthless; tells whether there was one."""
    removed: int = yield ("HDEL", keys.api_keys(), key_id)
    return bool(removed)
