"""The open streams of a process: how many there are, and that they end when it ends."""

from __future__ import annotations

__all__ = ["Slot", "StreamCut", "Streams"]

import asyncio
from collections import Counter
from types import TracebackType
from typing import Final

from penstock.gateway.auth.identity import Identity
from penstock.gateway.errors import RequestError

_SOON: Final = {"Retry-After": "1"}


class StreamCut(BaseException):
    """Ends a stream in the middle, so that its client comes back to where it was.

    A stream that ended cleanly would look like the end of the run.
    """


class Slot:
    """A stream among those that are open; `cut` is set when it is to be cut."""

    def __init__(
        self, cuts: set[asyncio.Event], of: Counter[str | None], key_id: str | None
    ) -> None:
        self.cut = asyncio.Event()
        self._cuts = cuts
        self._of = of
        self._key_id = key_id

    def close(self) -> None:
        """Count it no longer."""
        if self.cut in self._cuts:
            self._cuts.remove(self.cut)
            self._of[self._key_id] -= 1
            if not self._of[self._key_id]:
                del self._of[self._key_id]

    def __enter__(self) -> asyncio.Event:
        return self.cut

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Streams:
    """Counts streams, refuses those that are too many, and cuts all when the process ends."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._cuts: set[asyncio.Event] = set()
        self._of: Counter[str | None] = Counter()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._cuts)

    def slot(self, identity: Identity) -> Slot:
        """Count a stream from now on, until the slot is closed.

        Those of one API key are limited; visitors who need no key cannot be told apart.

        Raises:
            RequestError: there are too many, or the process is about to end.
        """
        self._check(identity)
        slot = Slot(self._cuts, self._of, identity.key_id)
        self._cuts.add(slot.cut)
        self._of[identity.key_id] += 1
        return slot

    def _check(self, identity: Identity) -> None:
        if self.is_draining:
            raise RequestError(503, "this gateway is about to end; ask again.", headers=_SOON)
        if len(self._cuts) >= self._most:
            raise RequestError(
                503, f"this gateway has {self._most} streams open, its limit.", headers=_SOON
            )
        if identity.key_id and self._of[identity.key_id] >= self._most_each:
            raise RequestError(
                429,
                f"{identity.name!r} has {self._most_each} streams open here, its limit.",
                headers=_SOON,
            )

    async def drain(self, seconds: float) -> None:
        """Refuse new streams, and cut those that are open, spread over so many seconds."""
        self.is_draining = True
        waiting = list(self._cuts)
        for cut in waiting:
            cut.set()
            await asyncio.sleep(seconds / len(waiting))
