"""Moments as Redis keeps them."""

from __future__ import annotations

__all__ = ["moment_of"]

from datetime import UTC, datetime


def moment_of(milliseconds: bytes | str | float) -> datetime:
    """Read a moment that is stored in milliseconds since 1970."""
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
