"""Texts that only gateways of this Redis can read: cursors, and keys in cookies."""

from __future__ import annotations

__all__ = ["sealed", "unsealed"]

import base64
import hashlib
import os
from typing import Final

from penstock.publisher.codec.encrypted import NONCE_BYTES
from penstock.publisher.codec.keyring import KEY_BYTES, Cipher, KeyRing
from penstock.publisher.errors import ConfigurationError

_KEY: Final = "gateway"


def sealed(text: str, secret: bytes, purpose: str) -> str:
    """Write a text so that without the secret nobody reads or makes one."""
    nonce = os.urandom(NONCE_BYTES)
    box = nonce + _cipher(secret).encrypt(nonce, text.encode(), purpose.encode())
    return base64.urlsafe_b64encode(box).decode().rstrip("=")


def unsealed(given: str, secret: bytes, purpose: str) -> str | None:
    """Read a text that was sealed for the same purpose; None if it was not."""
    try:
        box = base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True)
        nonce, data = box[:NONCE_BYTES], box[NONCE_BYTES:]
        return _cipher(secret).decrypt(nonce, data, purpose.encode()).decode()
    except ConfigurationError:
        raise
    except Exception:  # InvalidTag, or no such text at all: all of them were not sealed here
        return None


def _cipher(secret: bytes) -> Cipher:
    key = hashlib.blake2b(secret, digest_size=KEY_BYTES).digest()
    return KeyRing({_KEY: key}).cipher(_KEY)
