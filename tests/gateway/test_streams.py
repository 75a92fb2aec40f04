"""Streams are counted, refused, and cut."""

from __future__ import annotations

import asyncio

import pytest

from penstock.gateway.auth.identity import LOCAL, Identity
from penstock.gateway.auth.role import Role
from penstock.gateway.errors import RequestError
from penstock.gateway.streams import Streams

ANN = Identity("ann", Role.CLIENT, "a1")
BOB = Identity("bob", Role.CLIENT, "b2")
EVE = Identity("eve", Role.CLIENT, "c3")


def test_too_many_streams_are_refused_until_one_ends() -> None:
    streams = Streams(3, 2)
    with streams.slot(ANN):
        with streams.slot(ANN), pytest.raises(RequestError, match="'ann' has 2") as each:
            streams.slot(ANN).__enter__()
        with streams.slot(BOB), streams.slot(ANN):
            with pytest.raises(RequestError, match="3 streams open") as all_of_them:
                streams.slot(EVE).__enter__()
        with streams.slot(ANN):
            assert len(streams) == 2

    assert (each.value.status, all_of_them.value.status) == (429, 503)
    assert len(streams) == 0


def test_a_process_that_is_to_end_cuts_its_streams_and_takes_no_more() -> None:
    async def main() -> None:
        streams = Streams(10, 10)
        with streams.slot(ANN) as first, streams.slot(BOB) as second:
            await streams.drain(0.0)
            assert first.is_set()
            assert second.is_set()
        with pytest.raises(RequestError) as refused:
            streams.slot(ANN).__enter__()
        assert refused.value.status == 503

    asyncio.run(main())


def test_two_keys_of_one_name_have_limits_of_their_own() -> None:
    streams = Streams(10, 1)
    with streams.slot(ANN), streams.slot(Identity("ann", Role.CLIENT, "other")):
        assert len(streams) == 2


def test_visitors_without_a_key_share_the_limit_of_the_process_alone() -> None:
    streams = Streams(3, 1)
    with streams.slot(LOCAL), streams.slot(LOCAL), streams.slot(LOCAL):
        with pytest.raises(RequestError) as refused:
            streams.slot(LOCAL).__enter__()
    assert refused.value.status == 503
