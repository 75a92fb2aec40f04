"""Versions of channels: texts that grow, and that no other branch of a thread gets too."""

from __future__ import annotations

__all__ = ["is_ours", "next_version", "version_text"]

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from penstock.publisher.chance import chance

_OURS = re.compile(r"\d{16}\.[0-9a-f]{8}")

# A version is asked about with each point until its channel is written to again.


def next_version(current: str | float | None) -> str:
    """Return a version above the current one: a counter of 16 digits, `.`, 8 random hex digits.

    With counters alone the two branches of a fork would have the same versions for other values.
    """
    counter = 0 if current is None else int(str(current).partition(".")[0])
    return f"{counter + 1:016}.{chance.getrandbits(32):08x}"


@lru_cache(maxsize=4096, typed=True)
def version_text(version: Any) -> str:
    """Return a version as names of fields have it, without white space."""
    if is_ours(version):
        return str(version)
    return quote(str(version), safe="", errors="surrogatepass")


@lru_cache(maxsize=4096, typed=True)
def is_ours(version: Any) -> bool:
    """Tell whether `next_version` has made it: it is then the version of one value only."""
    return isinstance(version, str) and _OURS.fullmatch(version) is not None
