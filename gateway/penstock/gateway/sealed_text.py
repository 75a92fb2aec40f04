"""Texts that only gateways of this Redis can read: cursors, and keys in cookies."""

from __future__ import annotations

__all__ = ["sealed", "unsealed"]

import base64
import hashlib
import secrets
from typing import Final

_NONCE_BYTES: Final = 16
_CHECK_BYTES: Final = 16


def sealed(text: str, secret: bytes, purpose: str) -> str:
    """Write a text so that without the secret nobody reads or makes one."""
    nonce, plain = secrets.token_bytes(_NONCE_BYTES), text.encode()
    mixed = _mixed(plain, nonce, _key(secret, purpose))
    box = nonce + mixed + _check(nonce + mixed, _key(secret, purpose))
    return base64.urlsafe_b64encode(box).decode().rstrip("=")


def unsealed(given: str, secret: bytes, purpose: str) -> str | None:
    """Read a text that was sealed for the same purpose; None if it was not."""
    try:
        box = base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True)
    except ValueError:
        return None
    key, body, check = _key(secret, purpose), box[:-_CHECK_BYTES], box[-_CHECK_BYTES:]
    if not secrets.compare_digest(check, _check(body, key)):
        return None
    return _mixed(body[_NONCE_BYTES:], body[:_NONCE_BYTES], key).decode()


def _key(secret: bytes, purpose: str) -> bytes:
    return hashlib.blake2b(secret, person=purpose.encode(), digest_size=32).digest()


def _mixed(text: bytes, nonce: bytes, key: bytes) -> bytes:
    stream = hashlib.shake_256(b"mix:" + key + nonce).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


def _check(body: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(body, key=key, digest_size=_CHECK_BYTES).digest()
