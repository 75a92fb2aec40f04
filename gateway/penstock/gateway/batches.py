"""Frames that are ready together, as one piece to send."""

from __future__ import annotations

__all__ = ["batches"]

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from penstock.publisher.sse import KEEP_ALIVE

LARGE: Final = 64 * 1024
"""Bytes of a piece; no more is read ahead of a client that takes nothing."""


async def batches(
    frames: AsyncIterable[str], pulse: float, most: int = LARGE, comment: str = KEEP_ALIVE
) -> AsyncGenerator[bytes]:
    """Join the frames that came since the last piece was taken.

    After `pulse` seconds without any, the comment is given. What was read before an error is given
    before the error is raised.
    """
    reader = _Reader(frames, pulse, most, comment)
    task = asyncio.ensure_future(reader.read())
    try:
        while True:
            piece = await reader.take()
            if not piece:
                break
            yield piece
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Reader:
    def __init__(self, frames: AsyncIterable[str], pulse: float, most: int, comment: str) -> None:
        self._frames = frames
        self._pulse = pulse
        self._most = most
        self._comment = comment.encode()
        self._ready = bytearray()
        self._changed = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._is_over = False

    async def read(self) -> None:
        try:
            async for frame in self._frames:
                self._ready += frame.encode()
                self._changed.set()
                if len(self._ready) >= self._most:
                    self._has_capacity.clear()
                    await self._has_capacity.wait()
        finally:
            self._is_over = True
            self._changed.set()

    async def take(self) -> bytes:
        """Return what is ready, and wait if nothing is; nothing at the end."""
        while not self._ready and not self._is_over:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._pulse):
                    await self._changed.wait()
            except TimeoutError:
                return self._comment
        piece = bytes(self._ready)
        self._ready.clear()
        self._has_capacity.set()
        return piece
