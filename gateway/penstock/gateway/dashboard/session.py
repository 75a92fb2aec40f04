"""Who is logged in, as a signed cookie: no process keeps anything of it."""

from __future__ import annotations

__all__ = ["LASTS", "Session", "claimed_key", "is_token", "new_session", "read_session", "token_of"]

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Final

LASTS: Final = 12 * 3600
"""Seconds after which somebody has to log in again."""

_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Session:
    """A login: the key that it was made with, and until when it is good."""

    key_id: str
    nonce: str
    until: float
    """Seconds since 1970."""

    def signed(self, secret: bytes) -> str:
        """Write the session as the value of a cookie."""
        fields = [self.key_id, self.nonce, self.until]
        text = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
        return f"{text}.{_signature(secret, 'session', text)}"


def new_session(key_id: str, now: float) -> Session:
    """Make the session of a login."""
    return Session(key_id, secrets.token_hex(_NONCE_BYTES), now + LASTS)


def claimed_key(value: str) -> str:
    """Return the id of the key that a cookie says it was made with; `read_session` checks it."""
    try:
        key_id, _, _ = json.loads(base64.urlsafe_b64decode(value.partition(".")[0]))
    except (ValueError, TypeError):
        return ""
    return key_id if isinstance(key_id, str) else ""


def read_session(value: str, secret: bytes, now: float) -> Session | None:
    """Read a cookie; None if it was not signed with this secret, or is too old."""
    text, _, signature = value.partition(".")
    expected = _signature(secret, "session", text)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    session = Session(*json.loads(base64.urlsafe_b64decode(text)))
    return session if now < session.until else None


def token_of(session: Session | None, secret: bytes) -> str:
    """Return what each form of a session carries; without a login, all forms carry the same."""
    return _signature(secret, "form", "" if session is None else session.nonce)


def is_token(given: str, token: str) -> bool:
    """Tell whether a form carries the token of its session; takes the same time for any."""
    return hmac.compare_digest(given.encode(), token.encode())


def _signature(secret: bytes, purpose: str, text: str) -> str:
    return hmac.digest(secret, f"{purpose}:{text}".encode(), hashlib.sha256).hex()
