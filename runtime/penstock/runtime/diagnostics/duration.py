"""Durations as people read them."""

from __future__ import annotations

__all__ = ["duration"]


def duration(seconds: float) -> str:
    """Write how long something took: `12 ms`, `1.2 s`, `3 min 05 s`, `2 h 04 min`, `3 d 4 h`."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
