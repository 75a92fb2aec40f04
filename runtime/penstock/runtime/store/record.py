"""An item as scripts keep it: `<updated us> <ttl ms> <value>`, its creation beside it."""

from __future__ import annotations

__all__ = ["Record", "open_blobs", "seal_blob"]

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.runtime.store.item import Item, Namespace, SearchItem
from penstock.runtime.store.keys import from_bytes

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Record:
    """An item as the read script gives it: what of it is not asked for is not decoded."""

    def __init__(self, reply: tuple[bytes, bytes], codec: Codec) -> None:
        self._updated, ttl, self._text = reply[0].split(b" ", 2)
        self._created = reply[1]
        self._codec = codec
        self.expires = ttl != b"0"

    @cached_property
    def value(self) -> dict[str, Any]:
        """What was put."""
        value: dict[str, Any] = self._codec.loads(self._text)
        return value

    def item(self, namespace: Namespace, key: str) -> Item:
        """Return it as an item."""
        return Item(
            value=self.value,
            key=key,
            namespace=namespace,
            created_at=_time(self._created),
            updated_at=_time(self._updated),
        )

    def found(self, namespace: Namespace, key: str, score: float | None) -> SearchItem:
        """Return it as a find."""
        return SearchItem(
            value=self.value,
            key=key,
            namespace=namespace,
            created_at=_time(self._created),
            updated_at=_time(self._updated),
            score=score,
        )


def seal_blob(codec: Codec, blob: bytes) -> bytes:
    """Return what is kept of an item's vectors: as they are, where nothing is encrypted."""
    return blob if codec.plain is codec else codec.dumps(blob).encode()


def open_blobs(codec: Codec, kept: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    """Read the vectors of a namespace's items, by their keys.

    Raises:
        EncryptionError: they are not encrypted, or not for this place.
    """
    if codec.plain is codec:
        return kept
    return {key: codec.at(from_bytes(key)).loads(text) for key, text in kept.items()}


def _time(microseconds: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int(float(microseconds)))
