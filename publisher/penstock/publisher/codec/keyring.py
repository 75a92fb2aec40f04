"""Key ring: the keys that encrypt what is stored, each with an id of its own.

Of each key two are derived, one that seals values and one that makes digests, so that neither use
tells anything of the other.
"""

from __future__ import annotations

__all__ = ["ENVIRONMENT", "KEY_BYTES", "Cipher", "KeyRing"]

import base64
import binascii
import hashlib
import hmac
import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Protocol, cast

from penstock.publisher.errors import ConfigurationError, EncryptionError

ENVIRONMENT = "PENSTOCK_ENCRYPTION_KEYS"
"""The environment variable that holds the keys of a process: `id:base64,id:base64`."""

KEY_BYTES = 32

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HOW = "python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"


class Cipher(Protocol):
    """AES-GCM under one key."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Seal data, bound to what it is associated with."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        """Open what was sealed."""
        ...


class KeyRing:
    """Keys by their ids: the first one writes, all of them read.

    To rotate, put a new key in front, everywhere; take an old one off when nothing that it has
    encrypted is kept any more.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys of 32 bytes.

        Raises:
            ConfigurationError: there is none, or an id or a key has a wrong form.
        """
        if not keys:
            raise ConfigurationError(f"a key ring needs a key: {ENVIRONMENT}='id:base64'.")
        for key_id, key in keys.items():
            if not _ID.fullmatch(key_id):
                raise ConfigurationError(
                    f"an encryption key has an id of letters, digits, '_', '.' and '-', at most "
                    f"64, and the one of key {list(keys).index(key_id) + 1} is none."
                )
            if len(key) != KEY_BYTES:
                raise ConfigurationError(
                    f"encryption key {key_id!r} has {len(key)} bytes and needs {KEY_BYTES}; "
                    f"make one: {_HOW}"
                )
        self._keys = dict(keys)
        self._cipher = cache(self._make_cipher)
        self._digester = cache(self._derive_digester)

    @staticmethod
    def parse(text: str) -> KeyRing:
        """Read `id:base64,id:base64`.

        Raises:
            ConfigurationError: it has another form; no part of the text is in the message.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(text.split(","), start=1):
            key_id, colon, encoded = part.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not colon or not key:
                raise ConfigurationError(
                    f"key {number} of {ENVIRONMENT} has not the form id:base64; make one: {_HOW}"
                )
            if key_id in keys:
                raise ConfigurationError(f"two keys of {ENVIRONMENT} have the id {key_id!r}.")
            keys[key_id] = key
        return KeyRing(keys)

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._keys)}>"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, that of the one that writes first."""
        return tuple(self._keys)

    def cipher(self, key_id: str) -> Cipher:
        """Return the cipher of a key.

        Raises:
            EncryptionError: the ring has no such key.
            ConfigurationError: the package `cryptography` is not there.
        """
        if key_id not in self._keys:
            raise EncryptionError(
                f"it is encrypted under key {key_id[:80]!r}, and the keys here are "
                f"{', '.join(self._keys)}: add that key to {ENVIRONMENT}, behind the first.",
                key_id=key_id,
            )
        return self._cipher(key_id)

    def digest(self, key_id: str, data: bytes, size: int) -> str:
        """Return a keyed digest of data, `size` bytes as hex."""
        return hmac.new(self._digester(key_id), data, hashlib.sha256).hexdigest()[: 2 * size]

    def _derive_digester(self, key_id: str) -> bytes:
        return _derive(self._keys[key_id], b"digest")

    def _make_cipher(self, key_id: str) -> Cipher:
        try:
            aead = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
        except ImportError as error:
            raise ConfigurationError(
                "encryption needs cryptography: pip install 'penstock[encryption]'"
            ) from error
        return cast(Cipher, aead.AESGCM(_derive(self._keys[key_id], b"seal")))


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"penstock 1 " + purpose, "sha256")
