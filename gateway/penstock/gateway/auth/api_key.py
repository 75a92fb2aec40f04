"""An API key: an id to find it by, and a secret that is never stored."""

from __future__ import annotations

__all__ = ["ApiKey", "new_key", "parsed"]

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from penstock.gateway.auth.role import Role

MARK: Final = "pk"
"""What each key begins with, so that scanners of leaked secrets can know it."""

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The record of a key."""

    key_id: str
    name: str
    role: Role
    digest: str
    """SHA-256 of the secret, in hex digits."""
    created_at: datetime
    expires_at: datetime | None

    def admits(self, secret: str, now: datetime) -> bool:
        """Tell whether a secret is that of this key, and the key is still good."""
        return hmac.compare_digest(_digest(secret), self.digest) and self.is_good(now)

    def is_good(self, now: datetime) -> bool:
        """Tell whether the key has not expired."""
        return self.expires_at is None or now < self.expires_at

    def encoded(self) -> str:
        """Write the record as it is stored."""
        return json.dumps(
            {
                "name": self.name,
                "role": self.role,
                "digest": self.digest,
                "created": self.created_at.timestamp(),
                "expires": self.expires_at and self.expires_at.timestamp(),
            }
        )

    @classmethod
    def decoded(cls, key_id: str, text: bytes) -> Self:
        """Read a record that was stored."""
        fields: dict[str, Any] = json.loads(text)
        expires = fields["expires"]
        return cls(
            key_id,
            fields["name"],
            Role(fields["role"]),
            fields["digest"],
            datetime.fromtimestamp(fields["created"], UTC),
            None if expires is None else datetime.fromtimestamp(expires, UTC),
        )


def new_key(name: str, role: Role, lasts: timedelta | None = None) -> tuple[ApiKey, str]:
    """Make a key; returns its record, and the text that is shown once and sent with requests."""
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    now = datetime.now(UTC)
    record = ApiKey(
        key_id, name, role, _digest(secret), now, None if lasts is None else now + lasts
    )
    return record, f"{MARK}_{key_id}_{secret}"


def parsed(text: str) -> tuple[str, str] | None:
    """Return the id and the secret of a key; None if the text is not a key."""
    match text.split("_"):
        case [mark, key_id, secret] if mark == MARK and key_id and secret:
            return key_id, secret
        case _:
            return None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
