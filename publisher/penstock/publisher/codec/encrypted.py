"""Encrypted codec: values as text that only processes with a key can read or write.

A sealed text is a JSON object of one member, so that it can be stored wherever a value's text can:

    {"~sealed": "<key id>:<base64 of nonce and AES-GCM ciphertext>"}

It is bound to its place (prefix, run, field...): a text that was moved cannot be decrypted.
"""

from __future__ import annotations

__all__ = ["EncryptedCodec", "codec_for", "codec_of_environment", "is_sealed", "key_of"]

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any, NoReturn, Self, cast

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.envelope import read_fact, read_outcome
from penstock.publisher.codec.keyring import ENVIRONMENT, KeyRing
from penstock.publisher.codec.registry import TypeRegistry, registered
from penstock.publisher.codec.tree_reader import SEALED
from penstock.publisher.errors import CodecError, EncryptionError

NONCE_BYTES = 12
_HEAD = f'{{"{SEALED}":"'
_TAIL = '"}'


class EncryptedCodec(Codec):
    """A codec that encrypts what it writes, and refuses to read what is not encrypted.

    `keys` is a key ring, or what `PENSTOCK_ENCRYPTION_KEYS` may hold.
    """

    def __init__(
        self,
        keys: KeyRing | Mapping[str, bytes] | str,
        limit: int = 8 * 1024 * 1024,
        registry: TypeRegistry = registered,
    ) -> None:
        super().__init__(limit, registry)
        self._plain = Codec(limit, registry)
        self._keyring = _keyring_of(keys)
        self._keyring.cipher(
            self._keyring.ids[0]
        )  # the package that encrypts is missed now or never
        self._place: tuple[str, ...] = ()
        self._pin = ""

    @property
    def plain(self) -> Codec:
        """The codec of the texts inside."""
        return self._plain

    def at(self, *place: str) -> Self:
        """Return the codec of what is kept at a place below this one's."""
        codec = object.__new__(type(self))
        codec.__dict__.update(self.__dict__, _place=(*self._place, *place))
        return codec

    def pinned(self, text: str | bytes) -> Self:
        """Return the codec that seals, and makes digests, with the key that has sealed a text.

        If that key is missing here, nothing is pinned: reading the text raises an error.
        """
        codec, key_id = object.__new__(type(self)), key_of(text)
        codec.__dict__.update(self.__dict__, _pin=key_id if key_id in self._keyring.ids else "")
        return codec

    def dumps(self, value: Any, what: str = "") -> str:
        """Return the sealed text of a value."""
        return self.seal(self._plain.dumps(value, what))

    def seal(self, text: str) -> str:
        """Encrypt a text that `plain` has written."""
        key_id, nonce = self._pin or self._keyring.ids[0], os.urandom(NONCE_BYTES)
        data = self._keyring.cipher(key_id).encrypt(
            nonce, text.encode(), _bound(self._place, key_id)
        )
        return f"{_HEAD}{key_id}:{base64.b64encode(nonce + data).decode()}{_TAIL}"

    def loads(self, text: str | bytes) -> Any:
        """Return the value of a sealed text.

        Raises:
            EncryptionError: it is not encrypted, or no key here has encrypted it for this place.
        """
        return self.revive(_parse(text))

    def opened(self, text: str | bytes) -> str:
        """Return the text inside of a sealed one.

        Raises:
            EncryptionError: it is not encrypted, or no key here has encrypted it for this place.
        """
        return self._open(_parse(text)).decode()

    def revive(self, tree: Any) -> Any:
        """Return the value of a sealed text that was parsed already."""
        return self._plain.loads(self._open(tree))

    def _open(self, tree: Any) -> bytes:
        key_id, _, encoded = _token(tree, self._place).partition(":")
        try:
            cipher = self._keyring.cipher(key_id)
            data = base64.b64decode(encoded, validate=True)
            return cipher.decrypt(
                data[:NONCE_BYTES], data[NONCE_BYTES:], _bound(self._place, key_id)
            )
        except EncryptionError as error:
            raise EncryptionError(f"{_name(self._place)}: {error}", key_id=key_id) from None
        except Exception as error:  # InvalidTag, or a text too short: all say the same
            _refuse_forged(self._place, key_id, error)

    def digests(self, text: str, size: int) -> tuple[str, ...]:
        """Return keyed digests, one for each key; none of them tells what the text is."""
        data = json.dumps(self._place).encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        ids = (self._pin,) if self._pin else self._keyring.ids
        return tuple(self._keyring.digest(key_id, data, size) for key_id in ids)

    def fact(self, mode: str, tree: Any) -> Any:
        """Return the data of an event: sealed as a whole, or facts whose values are."""
        if is_sealed(tree) or not mode.startswith(("run.", "step.")):
            return self.at("event", mode).revive(tree)
        return read_fact(self, tree)

    def outcome(self, text: str | bytes, name: str) -> Any:
        """Return how a step or a run ended: an object whose value or error is sealed."""
        return read_outcome(self, _parse(text), name)


def codec_for(keys: str, limit: int) -> Codec:
    """Return the codec of a process's settings: encrypted if there are keys.

    Raises:
        ConfigurationError: the keys have a wrong form.
    """
    return EncryptedCodec(KeyRing.parse(keys), limit) if keys else Codec(limit)


def codec_of_environment() -> Codec:
    """Return the codec of those who are given none: encrypted where the environment has keys."""
    keys = os.environ.get(ENVIRONMENT, "")
    return EncryptedCodec(KeyRing.parse(keys)) if keys else Codec()


def is_sealed(tree: Any) -> bool:
    """Return whether a parsed text is a sealed one."""
    if not isinstance(tree, dict) or len(cast("dict[str, Any]", tree)) != 1:
        return False
    return isinstance(cast("dict[str, Any]", tree).get(SEALED), str)


def key_of(text: str | bytes) -> str:
    """Return the id of the key that has sealed a text, "" if none has."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(tree[SEALED]).partition(":")[0] if is_sealed(tree) else ""


def _keyring_of(keys: KeyRing | Mapping[str, bytes] | str) -> KeyRing:
    if isinstance(keys, KeyRing):
        return keys
    return KeyRing.parse(keys) if isinstance(keys, str) else KeyRing(keys)


def _bound(place: tuple[str, ...], key_id: str) -> bytes:
    """Return what a text is bound to: it opens under the same key, at the same place only."""
    return json.dumps(("penstock 1", key_id, *place)).encode()


def _parse(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodecError(f"stored text is damaged: {error}") from error


def _token(tree: Any, place: tuple[str, ...]) -> str:
    if is_sealed(tree):
        token: str = tree[SEALED]
        return token
    raise EncryptionError(
        f"{_name(place)} is not encrypted, although keys are set here: a process without "
        f"{ENVIRONMENT} has written it, or it was changed. Set the keys in all processes; older "
        "runs need workers without keys."
    )


def _refuse_forged(place: tuple[str, ...], key_id: str, error: Exception) -> NoReturn:
    shape = " (its text is damaged)" if isinstance(error, binascii.Error) else ""
    raise EncryptionError(
        f"{_name(place)} cannot be decrypted with key {key_id!r}{shape}: the process that wrote it "
        "has another key of that id, or the text was changed or moved. Compare the keys in "
        f"{ENVIRONMENT} of all processes.",
        key_id=key_id,
    ) from error


def _name(place: tuple[str, ...]) -> str:
    return f"the stored text at {'/'.join(place)[:200]}" if place else "a stored text"
