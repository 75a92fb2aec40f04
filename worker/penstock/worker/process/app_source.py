"""What an app is named by: `flows.py`, `shop.flows`, or an object in one, as `agent.py:graph`."""

from __future__ import annotations

__all__ = ["file_of", "parts_of"]


def parts_of(source: str) -> tuple[str, str]:
    """Return the file or module of a source, and the object that it names, "" for all."""
    name, colon, path = source.rpartition(":")
    is_named = colon and all(part.isidentifier() for part in path.split("."))
    return (name, path) if is_named else (source, "")


def file_of(source: str) -> str:
    """Return the file that a source names, "" where it names a module."""
    name, _ = parts_of(source)
    return name if name.endswith((".py", ".json")) else ""
