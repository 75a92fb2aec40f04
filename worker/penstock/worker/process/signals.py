"""The signals that ask a process to end, from its first line on."""

from __future__ import annotations

__all__ = ["ONE_SIGNAL", "asked", "handled", "how_ended", "leaving_at_signals"]

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ONE_SIGNAL: Final = 0.5
"""Seconds within which two signals count as one: a terminal's reaches a process by several ways."""

_ASKED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], object]


def asked() -> tuple[signal.Signals, ...]:
    """Name the signals that ask this process to end; not SIGHUP where it was started by nohup."""
    return tuple(each for each in _ASKED if not _is_ignored(each))


def how_ended(status: int) -> str:
    """Describe the end of a process by its exit status, or the negative number of a signal."""
    if status >= 0:
        return f"exit status {status}"
    names = {each.value: each.name for each in signal.Signals}  # not of all real-time signals
    return f"signal {names.get(-status, -status)}"


@contextmanager
def handled(handler: Handler) -> Generator[None]:
    """Let a function handle these signals in the block; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, handler) for signum in asked()}
    try:
        yield
    finally:
        for signum, each in before.items():
            if each is not None:  # else it is none of Python's
                signal.signal(signum, each)


@contextmanager
def leaving_at_signals() -> Generator[None]:
    """Let these signals end the process at once, until something else handles them.

    This is for a process that has nothing to hand over yet. It does not rely on the default action,
    which the kernel does not apply to the first process of a container. Nor does it raise an
    exception, which the app that is being imported might catch.
    """
    with handled(_leave):
        yield


def _leave(signum: int, frame: FrameType | None) -> None:
    os._exit(0)


def _is_ignored(signum: signal.Signals) -> bool:
    return signum is signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN
