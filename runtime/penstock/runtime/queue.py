"""The names of queues."""

from __future__ import annotations

__all__ = ["checked_queue"]

import re
from typing import Final

from penstock.runtime.errors import ConfigurationError

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def checked_queue(name: str) -> str:
    """Return the name of a queue.

    Raises:
        ConfigurationError: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"queue {name!r}: use letters, digits, '_', '-' and '.', at most 128."
        )
    return name
