"""Numbers of bytes as people read them."""

from __future__ import annotations

__all__ = ["size"]


def size(number: float) -> str:
    """Write a number of bytes: `12 B`, `1.2 KiB`, `3.4 GiB`."""
    if number < 1024:
        return f"{number:.0f} B"
    for unit in ("KiB", "MiB"):
        number /= 1024
        if number < 1023.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} GiB"
