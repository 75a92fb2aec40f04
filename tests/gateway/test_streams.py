"""Streams are counted, refused, and cut."""

from __future__ import annotations

import asyncio

import pytest

from penstock.gateway.errors import RequestError
from penstock.gateway.streams import Streams


def test_too_many_streams_are_refused_until_one_ends() -> None:
    streams = Streams(3, 2)
    with streams.slot("ann"):
        with streams.slot("ann"), pytest.raises(RequestError, match="'ann' has 2") as each:
            streams.slot("ann").__enter__()
        with streams.slot("bob"), streams.slot("ann"):
            with pytest.raises(RequestError, match="3 streams open") as all_of_them:
                streams.slot("eve").__enter__()
        with streams.slot("ann"):
            assert len(streams) == 2

    assert (each.value.status, all_of_them.value.status) == (429, 503)
    assert len(streams) == 0


def test_a_process_that_is_to_end_cuts_its_streams_and_takes_no_more() -> None:
    async def main() -> None:
        streams = Streams(10, 10)
        with streams.slot("ann") as first, streams.slot("bob") as second:
            await streams.drain(0.0)
            assert first.is_set()
            assert second.is_set()
        with pytest.raises(RequestError) as refused:
            streams.slot("ann").__enter__()
        assert refused.value.status == 503

    asyncio.run(main())
