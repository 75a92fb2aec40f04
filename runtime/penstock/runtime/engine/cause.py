"""Finds out what a run fails of."""

from __future__ import annotations

__all__ = ["cause_of"]

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import penstock.runtime.engine as engine
from penstock.runtime.engine.attempt.attempt import Attempt
from penstock.runtime.journal.cause import Cause
from penstock.runtime.journal.step_id import step_name

_PENSTOCK: Final = f"{Path(engine.__path__[0]).parents[1]}/"
_LIBRARIES: Final = tuple(
    f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def cause_of(attempt: Attempt, error: BaseException) -> Cause:
    """Return what an attempt's run fails of."""
    steps = attempt.failures.of(error)
    return Cause(
        attempt.assignment.entrypoint,
        step_name(steps[-1]) if steps else "",
        type(error).__name__,
        next(map(_name_of, _own_frames(error)), ""),
    )


def _own_frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of the app's code, the innermost first; not those of libraries."""
    frames: list[FrameType] = []
    traceback = error.__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        file = frame.f_code.co_filename
        if not file.startswith((_PENSTOCK, "<")) and not file.startswith(_LIBRARIES):
            yield frame


def _name_of(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"
