"""The signals that ask a process to end, from its first line on."""

from __future__ import annotations

__all__ = ["asked", "handle", "leaving_at_signals"]

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_ASKED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], object]


def asked() -> tuple[signal.Signals, ...]:
    """Name the signals that ask this process to end; not SIGHUP where it was started by nohup."""
    return tuple(each for each in _ASKED if not _is_ignored(each))


def handle(handler: Handler) -> None:
    """Let a function handle these signals; only the main thread may say so, others are ignored."""
    if threading.current_thread() is threading.main_thread():
        for signum in asked():
            signal.signal(signum, handler)


@contextmanager
def leaving_at_signals() -> Generator[None]:
    """Let these signals end the process at once, until something else handles them.

    For a process that has nothing to hand over yet. It does not count on the default action: the
    kernel keeps that from the first process of a container. Nor does it raise: the app that is
    being imported might catch it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.getsignal(signum) for signum in asked()}
    handle(_leave)
    try:
        yield
    finally:
        for signum, handler in before.items():
            if handler is not None:  # else it is none of Python's
                signal.signal(signum, handler)


def _leave(signum: int, frame: FrameType | None) -> None:
    os._exit(0)


def _is_ignored(signum: signal.Signals) -> bool:
    return signum is signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN
