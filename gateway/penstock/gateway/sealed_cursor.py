"""Cursors that say nothing: where a list goes on may name what is hidden."""

from __future__ import annotations

__all__ = ["opened", "sealed"]

import base64
import hashlib
import secrets
from typing import Final

from penstock.gateway.errors import RequestError

_NONCE_BYTES: Final = 12
_CHECK_BYTES: Final = 8


def sealed(cursor: str, secret: bytes) -> str:
    """Write a cursor so that only gateways of this Redis can read it."""
    nonce, text = secrets.token_bytes(_NONCE_BYTES), cursor.encode()
    box = nonce + _mixed(text, nonce, secret) + _check(text, nonce, secret)
    return base64.urlsafe_b64encode(box).decode().rstrip("=")


def opened(given: str, secret: bytes) -> str:
    """Read a cursor that was sealed.

    Raises:
        RequestError: 422, it was not.
    """
    try:
        box = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
    except ValueError:
        box = b""
    nonce, mixed, check = box[:_NONCE_BYTES], box[_NONCE_BYTES:-_CHECK_BYTES], box[-_CHECK_BYTES:]
    text = _mixed(mixed, nonce, secret)
    if not secrets.compare_digest(check, _check(text, nonce, secret)):
        raise RequestError(422, "after is the cursor of a page: pass the one that it had.")
    return text.decode()


def _mixed(text: bytes, nonce: bytes, secret: bytes) -> bytes:
    stream = hashlib.shake_256(b"cursor:" + secret + nonce).digest(len(text))
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


def _check(text: bytes, nonce: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(nonce + text, key=secret[:64], digest_size=_CHECK_BYTES).digest()
