"""Lists that grow: of a new version only the items that are new are stored.

The value of a channel such as `messages` is the whole list in each version. Where the bytes of its
items begin with those of a version that is stored, only the rest is stored, with a link to that
version. Reading puts the chain together again; it ends at a version that is stored in full.

After some links comes one that goes back over all of them: a *skip link*, which continues the skip
link before it. So a chain is never long, and a long list is hardly ever stored in full again.
"""

from __future__ import annotations

__all__ = ["Known", "KnownLists", "Link", "ListBytes", "SkipLink"]

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, Self

from penstock.langgraph.redis.keys import Space
from penstock.langgraph.redis.record import Typed

MOST_LINKS: Final = 64
"""Links after a skip link, and skip links of a chain: a value takes twice as many look-ups."""

MOST_KNOWN: Final = 4096
"""Lists that a saver remembers; of each it keeps a hundred bytes."""

MSGPACK: Final = "msgpack"


@dataclass(frozen=True, slots=True)
class Link:
    """The head of a record that holds the end of a list only."""

    base: str
    """The version that it continues."""
    depth: int
    """How many links its chain has."""
    since: int
    """How many of them come after the newest skip link; 0 for a skip link."""
    count: int
    """How many items the whole list has."""
    size: int
    """How many bytes these are."""

    @property
    def head(self) -> str:
        """As records have it."""
        return f"{self.base} {self.depth} {self.since} {self.count} {self.size}"

    @classmethod
    def parse(cls, head: str) -> Self | None:
        """Read a head; None is that of a value stored in full."""
        if not head:
            return None
        base, *numbers = head.split(" ")
        depth, since, count, size = map(int, numbers)
        return cls(base, depth, since, count, size)


@dataclass(frozen=True, slots=True)
class SkipLink:
    """A version that the next skip link continues."""

    version: str
    depth: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """A version of a list that is stored, as far as the next one has to know it."""

    version: str
    depth: int
    since: int
    size: int
    digest: bytes
    """Of the bytes of all its items."""
    skip: SkipLink
    """The newest of its chain, perhaps itself."""

    def in_full(self) -> Known:
        """Return what it is if it is stored in full."""
        skip = SkipLink(self.version, 0, self.size)
        return replace(self, depth=0, since=0, skip=skip)


@dataclass(frozen=True, slots=True)
class ListBytes:
    """A list as msgpack: the number of its items, and their bytes one after another."""

    count: int
    body: bytes

    @staticmethod
    def of(value: Typed) -> ListBytes | None:
        """Return the parts of a value that is a list, else None."""
        data = value.data
        if value.kind != MSGPACK or not data:
            return None
        first = data[0]
        if first & 0xF0 == 0x90:
            return ListBytes(first & 0x0F, data[1:])
        width = {0xDC: 2, 0xDD: 4}.get(first)
        if width is None:
            return None
        return ListBytes(int.from_bytes(data[1 : 1 + width], "big"), data[1 + width :])

    def typed(self) -> Typed:
        """Return the list as one value."""
        count = self.count
        if count < 16:
            start = bytes((0x90 | count,))
        elif count < 1 << 16:
            start = b"\xdc" + count.to_bytes(2, "big")
        else:
            start = b"\xdd" + count.to_bytes(4, "big")
        return Typed(MSGPACK, start + self.body)

    def known(self, version: str, link: Link | None, skip: SkipLink | None) -> Known:
        """Return what the next version has to know of this one, whose own link is given."""
        size = len(self.body)
        depth, since = (link.depth, link.since) if link else (0, 0)
        if skip is None or since == 0:
            skip = SkipLink(version, depth, size)
        return Known(version, depth, since, size, _digest(self.body), skip)

    def after(self, known: Known | None) -> tuple[Link, int] | None:
        """Return a link and the byte that it begins at, None if this list is to be stored in full.

        `known` is the version before, which this list may begin with.
        """
        if known is None or not 0 < known.size <= len(self.body):
            return None
        # An item in msgpack says where it ends: what begins with the bytes begins with the items.
        if _digest(self.body[: known.size]) != known.digest:
            return None
        base, since = SkipLink(known.version, known.depth, known.size), known.since + 1
        if since > MOST_LINKS:
            base, since = known.skip, 0
            if base.depth >= MOST_LINKS:
                return None
        link = Link(base.version, base.depth + 1, since, self.count, len(self.body))
        return (link, base.size) if len(link.head) < base.size else None


class KnownLists:
    """The newest version of each list that a saver has read or stored; the oldest go first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, space: Space, channel: str, version: str) -> Known | None:
        """Return what is known of a channel, if it is older than a version.

        A point may be stored again: its versions must not continue themselves, or a later one.
        """
        with self._lock:
            known = self._known.get((space.thread, space.digest, channel))
        return known if known is not None and known.version < version else None

    def set(self, space: Space, channel: str, known: Known) -> None:
        """Remember a version."""
        place = (space.thread, space.digest, channel)
        with self._lock:
            self._known[place] = known
            self._known.move_to_end(place)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
