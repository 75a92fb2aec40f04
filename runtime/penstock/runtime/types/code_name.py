"""The names of code that a run or a remote step needs: `e:<entrypoint>`, `t:<task>`."""

from __future__ import annotations

__all__ = ["describe", "of_entrypoint", "of_pinned", "of_task", "pinned"]


def of_entrypoint(name: str) -> str:
    """Return the name of an entrypoint's code."""
    return f"e:{name}"


def of_task(name: str) -> str:
    """Return the name of a task's code."""
    return f"t:{name}"


def of_pinned(name: str, version: str) -> str:
    """Return the name of the version of an entrypoint to which runs are pinned."""
    return f"p:{name}@{version}"


def pinned(name: str) -> tuple[str, str] | None:
    """Return the entrypoint and the version that the name of some code stands for, if it does."""
    kind, _, rest = name.partition(":")
    entrypoint, _, version = rest.rpartition("@")
    return (entrypoint, version) if kind == "p" else None


def describe(name: str) -> str:
    """Write the name of some code for people: `entrypoint 'report'`."""
    if (pin := pinned(name)) is not None:
        return f"version {pin[1]!r} of entrypoint {pin[0]!r}"
    kind, _, bare = name.partition(":")
    return f"{'task' if kind == 't' else 'entrypoint'} {bare!r}"
