"""Tracebacks of failed runs, as people read them."""

from __future__ import annotations

__all__ = ["own_frames", "own_traceback"]

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_MACHINERY: Final = re.compile(
    r"/penstock/(runtime|worker|publisher)/|/concurrent/futures/|/asyncio/"
)


def own_traceback(outcome: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield frames and sentence of a failed outcome's error, then of the error that caused it."""
    error: dict[str, Any] | None = outcome.get("error")
    while error is not None and "traceback" in error:
        name = str(error.get("type")).removeprefix("builtins.")
        frames = "\n".join(own_frames(str(error["traceback"])))
        yield frames, f"{name}: {error.get('message')}"
        error = error.get("cause") or error.get("context")


def own_frames(traceback: str) -> Iterator[str]:
    """Yield the frames of the workflow's code, without those of the engine."""
    for frame in re.split(r"\n(?=  File \")", traceback.rstrip()):
        if not _MACHINERY.search(frame.partition("\n")[0]):
            yield frame
