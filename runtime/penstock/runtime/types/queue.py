"""The names of queues."""

from __future__ import annotations

__all__ = ["checked_queue"]

import re
from typing import Final

from penstock.runtime.errors import ConfigurationError

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def checked_queue(name: object) -> str:
    """Return the name of a queue.

    Raises:
        ConfigurationError: it cannot be one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"queue {_shown(name)}: use letters, digits, '_', '-' and '.', 1 to 128 of them; "
            "for the default queue, leave it out."
        )
    return name


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:80]}..."
