"""Tracebacks of failed runs, as people read them."""

from __future__ import annotations

__all__ = ["own_frames"]

import re
from collections.abc import Iterator
from typing import Final

_MACHINERY: Final = re.compile(r"/penstock/(runtime|worker)/|/concurrent/futures/|/asyncio/")


def own_frames(traceback: str) -> Iterator[str]:
    """Yield the frames of the workflow's code, without those of the engine."""
    for frame in re.split(r"\n(?=  File \")", traceback.rstrip()):
        if not _MACHINERY.search(frame.partition("\n")[0]):
            yield frame
