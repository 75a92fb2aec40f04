"""Ids that sort by the time at which they were made."""

from __future__ import annotations

__all__ = ["new_id"]

import secrets
import time
import uuid


def new_id() -> str:
    """Make a UUID of version 7: 48 bits of milliseconds, then random ones."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
