"""Which keys may live forever, and the check that no other does."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import cast

import redis

PERMANENT = (
    "penstock:api_keys",
    "penstock:session_secret",
    "penstock:assistants",
    "penstock:assistant:*",
    "penstock:entrypoints",
    "penstock:feed",
    "penstock:hooks",
    "penstock:webhooks",
    "penstock:webhooks:due",
    "penstock:webhook:*",
    "penstock:leases",
    "penstock:ready",
    "penstock:open:*",
    "penstock:thread:*",
    "penstock:threads",
    "penstock:threads:*",
    "penstock:history:*",
    "penstock:cache:*",
    "penstock:graph:*",
    "penstock:store:namespaces",
    "penstock:store:expiries",
    "penstock:store:space:*",
    "penstock:store:items:*",
    "penstock:store:order:*",
    "penstock:store:expiry:*",
    "penstock:store:vectors:*",
)


def keys_without_ttl(client: redis.Redis, permanent: tuple[str, ...] = PERMANENT) -> list[str]:
    """Penstock's keys that have no TTL and are not on the permanent list, sorted."""
    found = cast("Iterator[bytes | str]", client.scan_iter(match="penstock:*", count=1000))
    keys = [_text(key) for key in found]
    suspects = [key for key in keys if not any(fnmatchcase(key, each) for each in permanent)]
    return sorted(key for key in suspects if client.ttl(key) == -1)


def _text(key: bytes | str) -> str:
    return key if isinstance(key, str) else key.decode(errors="surrogateescape")
