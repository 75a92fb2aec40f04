r"""Records: what a field of a space holds.

A record is a head in the clear, a newline, and a value with the name of its type. With keys the
value is sealed, and bound to its place and its head: moved elsewhere, it does not open.

    <head> \n <type> \n <bytes>
    <head> \n ~<key id>: <nonce> <ciphertext of `<type> \n <bytes>`>
"""

from __future__ import annotations

__all__ = ["Records", "Typed", "head_of"]

import json
import os
from typing import Final, NamedTuple, Self

from penstock.langgraph.redis.keys import Space
from penstock.publisher.codec.keyring import ENVIRONMENT, KeyRing
from penstock.publisher.errors import CodecError, EncryptionError
from penstock.runtime.settings import Settings

NONCE_BYTES: Final = 12
_SEALED: Final = b"~"


class Typed(NamedTuple):
    """A value as bytes, and the type that a serializer gave them."""

    kind: str
    data: bytes


class Records:
    """Writes and reads the records of one prefix, sealed if there are keys."""

    def __init__(self, prefix: str, ring: KeyRing | None) -> None:
        self._prefix = prefix
        self._ring = ring
        if ring is not None:
            ring.cipher(ring.ids[0])  # the package that encrypts is missed now or never

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the records of some settings."""
        keys = settings.encryption_keys
        return cls(settings.prefix, KeyRing.parse(keys) if keys else None)

    @property
    def are_sealed(self) -> bool:
        """Whether there are keys."""
        return self._ring is not None

    def write(self, space: Space, field: str, head: str, value: Typed) -> bytes:
        """Return the record of a value."""
        start, data = f"{head}\n".encode(), b"%b\n%b" % (value.kind.encode(), value.data)
        if self._ring is None:
            return start + data
        key_id, nonce = self._ring.ids[0], os.urandom(NONCE_BYTES)
        bound = self._bound(key_id, space, field, head)
        sealed = self._ring.cipher(key_id).encrypt(nonce, data, bound)
        return b"%b~%b:%b%b" % (start, key_id.encode(), nonce, sealed)

    def read(self, space: Space, field: str, record: bytes) -> Typed:
        """Return the value of a record.

        Raises:
            EncryptionError: it is sealed for another place, with a key that is not here, or not
                sealed where it must be.
            CodecError: it is no record.
        """
        start, newline, data = record.partition(b"\n")
        if data.startswith(_SEALED) or self._ring is not None:
            data = self._opened(space, field, start.decode(), data)
        kind, ends, value = data.partition(b"\n")
        if not newline or not ends:
            raise CodecError(f"{_name(space, field)} is damaged: it is no record of Penstock's.")
        return Typed(kind.decode(), value)

    def _opened(self, space: Space, field: str, head: str, data: bytes) -> bytes:
        if self._ring is None:
            raise EncryptionError(
                f"{_name(space, field)} is encrypted, and there are no keys here: "
                f"set {ENVIRONMENT} to those that it was written with."
            )
        if not data.startswith(_SEALED):
            raise EncryptionError(
                f"{_name(space, field)} is not encrypted, and keys are set here: a process "
                f"without {ENVIRONMENT} has written it, or somebody has changed it. Set the keys "
                "in all processes; threads from before need processes without keys."
            )
        name, _, sealed = data[1:].partition(b":")
        key_id = name.decode(errors="replace")
        try:
            cipher = self._ring.cipher(key_id)
            bound = self._bound(key_id, space, field, head)
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except EncryptionError as error:
            raise EncryptionError(f"{_name(space, field)}: {error}", key_id=key_id) from None
        except Exception as error:  # InvalidTag, or too short: all say the same
            raise EncryptionError(
                f"{_name(space, field)} does not open with key {key_id!r}: that key is another one "
                "here than where it was written, or somebody has changed or moved the record. "
                f"Compare the keys in {ENVIRONMENT} of all processes.",
                key_id=key_id,
            ) from error

    def _bound(self, key_id: str, space: Space, field: str, head: str) -> bytes:
        place = ("penstock graph 1", key_id, self._prefix, space.thread_id, space.namespace)
        return json.dumps((*place, field, head)).encode()


def head_of(record: bytes) -> str:
    """Return the head of a record."""
    return record.partition(b"\n")[0].decode()


def _name(space: Space, field: str) -> str:
    of = f" in namespace {space.namespace[:80]!r}" if space.namespace else ""
    return f"{field[:200]!r} of thread {space.thread_id[:80]!r}{of}"
