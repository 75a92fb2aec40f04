"""Frames that are ready together are sent together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from penstock.gateway.batches import batches
from penstock.publisher.sse import KEEP_ALIVE


def test_what_came_while_the_client_was_slow_is_one_piece() -> None:
    async def frames() -> AsyncGenerator[str]:
        for number in range(6):
            yield str(number)
            if number in (0, 3):
                await asyncio.sleep(0.01)

    async def main() -> list[bytes]:
        found: list[bytes] = []
        async for piece in batches(frames(), 60):
            found.append(piece)
            await asyncio.sleep(0)
        return found

    assert asyncio.run(main()) == [b"0", b"123", b"45"]


def test_no_more_is_read_ahead_than_a_piece_may_hold() -> None:
    read: list[int] = []

    async def frames() -> AsyncGenerator[str]:
        for number in range(100):
            read.append(number)
            yield "x" * 10

    async def main() -> bytes:
        async with aclosing(batches(frames(), 60, 50)) as pieces:
            first = await anext(pieces)
            await asyncio.sleep(0.01)
            assert len(read) <= 10
            return first + b"".join([piece async for piece in pieces])

    assert asyncio.run(main()) == b"x" * 1000


def test_an_error_comes_after_what_was_read_before_it() -> None:
    async def frames() -> AsyncGenerator[str]:
        yield "a"
        raise OSError("gone")

    async def main() -> None:
        pieces = batches(frames(), 60)
        assert await anext(pieces) == b"a"
        with pytest.raises(OSError, match="gone"):
            await anext(pieces)

    asyncio.run(main())


def test_silence_is_broken_by_comments() -> None:
    spoken = asyncio.Event()

    async def frames() -> AsyncGenerator[str]:
        await spoken.wait()
        yield "a"

    async def main() -> list[bytes]:
        async with aclosing(batches(frames(), 0.01)) as pieces:
            found = [await anext(pieces), await anext(pieces)]
            spoken.set()
            return [*found, await anext(pieces)]

    assert asyncio.run(main()) == [KEEP_ALIVE.encode(), KEEP_ALIVE.encode(), b"a"]
