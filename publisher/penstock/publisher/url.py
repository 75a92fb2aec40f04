"""URLs of Redis, as they may be shown."""

from __future__ import annotations

__all__ = ["redacted"]

import re

_SECRET = re.compile(r"(?<=://)([^/?#@]*?)(:[^@]*)?@")
_QUERY = re.compile(r"(?i)([?&](?:[a-z_]*password|username)=)[^&#]*")


def redacted(url: str) -> str:
    """Return a URL without its password, as logs, reprs and errors may have it."""
    shown = _SECRET.sub(lambda found: f"{found[1]}:***@" if found[2] else f"{found[1]}@", url)
    return _QUERY.sub(r"\1***", shown)
