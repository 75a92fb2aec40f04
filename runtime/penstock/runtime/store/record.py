"""An item as scripts keep it: `<updated us> <ttl ms> <value>`, its creation beside it."""

from __future__ import annotations

__all__ = ["Record"]

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from penstock.publisher.codec import Codec
from penstock.runtime.store.item import Item, Namespace, SearchItem

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


def _time(microseconds: bytes) -> datetime:
    return _EPOCH + timedelta(microseconds=int(float(microseconds)))
