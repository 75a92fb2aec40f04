"""Chains: values of channels, put together of the versions that they continue."""

from __future__ import annotations

__all__ = ["Chain", "chain_of"]

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.langgraph.redis.growing import Link, ListBytes, SkipLink
from penstock.langgraph.redis.keys import Space, value_field
from penstock.langgraph.redis.record import Typed, head_of
from penstock.langgraph.redis.storage import Storage
from penstock.publisher.errors import CodecError


@dataclass(frozen=True, slots=True)
class Chain:
    """A value, put together of those that it continues."""

    typed: Typed
    link: Link | None
    """Its own link; None if it is stored in full."""
    skip: SkipLink | None
    """The newest of the chain; None if that is the value itself."""


def chain_of(
    storage: Storage, space: Space, channel: str, version: str, values: Mapping[bytes, bytes]
) -> Chain:
    """Put a channel's value together; `values` are records by their fields.

    Raises:
        CodecError: a version of the chain is not there, or is another one than it was.
        EncryptionError: a record does not open.
    """
    ends: list[bytes] = []
    links: list[Link] = []
    skip: SkipLink | None = None
    while True:
        field = value_field(channel, version)
        record = values.get(field.encode())
        if record is None:
            raise CodecError(f"channel {channel!r} is damaged: {field!r} is not there.")
        typed = storage.records.read(space, field, record)
        link = Link.parse(head_of(record))
        if link is None:
            break
        if links and link.depth >= links[-1].depth:  # or a forged chain would have no end
            raise CodecError(f"channel {channel!r} is damaged: {field!r} has a wrong depth.")
        if links and skip is None and link.since == 0:
            skip = SkipLink(version, link.depth, link.size)
        links.append(link)
        ends.append(typed.data)
        version = link.base
    if not links:
        return Chain(typed, None, None)
    start = ListBytes.of(typed)
    body = b"".join((start.body if start else b"", *reversed(ends)))
    if len(body) != links[0].size:
        raise CodecError(
            f"channel {channel!r} is damaged: a version that it continues has changed."
        )
    skip = skip or SkipLink(version, 0, links[0].size - sum(map(len, ends)))
    return Chain(ListBytes(links[0].count, body).typed(), links[0], skip)
